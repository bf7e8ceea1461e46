import { isIP } from 'node:net'

import { z } from 'zod'

import { closestName } from './closest-name.ts'
import type { LogLevel } from './log.ts'
import { storageUrl } from './storage-url.ts'

export type Role = 'reader' | 'api' | 'push'

/** What a server process is told from outside; see the table in the README. */
export interface Config {
  readonly storageUrl: string
  /** 32 bytes, or undefined: then sources with passwords cannot be made. */
  readonly secretKey: Buffer | undefined
  readonly adminToken: string | undefined
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly roles: ReadonlySet<Role>
  /** Path of a `millrace.yaml` to apply at start. */
  readonly configFile: string | undefined
  readonly retentionMs: number
  /** Bytes of log, or undefined: no limit. */
  readonly logLimitBytes: number | undefined
  /** CIDR ranges that push may reach although private. */
  readonly pushAllow: readonly string[]
  readonly logLevel: LogLevel
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Settings that are missing or wrong: one line each, without any of the values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly lines: readonly string[]

  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.lines = lines
  }
}

const ROLES: readonly Role[] = ['reader', 'api', 'push']
const DURATION_UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_UNIT_BYTES = { '': 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 }
const RETENTION_MS_MIN = 60_000
const ADMIN_TOKEN_LENGTH_MIN = 16

const secretKey = z
  .string()
  .transform((text) => Buffer.from(text, 'base64'))
  .refine((key) => key.length === 32, {
    error: 'must be 32 bytes in base64; make one with: openssl rand -base64 32',
  })

const adminToken = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
  .min(ADMIN_TOKEN_LENGTH_MIN, `must have at least ${ADMIN_TOKEN_LENGTH_MIN} characters`)

const port = z
  .string()
  .regex(/^(?!tcp:)/, {
    error:
      'must be a number from 0 to 65535; Kubernetes sets tcp://… beside a service named millrace: set it yourself, or enableServiceLinks to false',
    abort: true,
  })
  .regex(/^\d{1,5}$/, 'must be a number from 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, { error: 'must be a number from 0 to 65535' })

const roles = z
  .string()
  .transform(splitList)
  .refine(
    (names): names is Role[] =>
      names.length > 0 && names.every((name) => ROLES.some((role) => role === name)),
    { error: `must be a list of ${ROLES.join(', ')}, separated by commas` },
  )
  .transform((names) => new Set(names))

const retention = z
  .string()
  .transform((text) => parseDurationMs(text) ?? Number.NaN)
  .refine((ms) => ms >= RETENTION_MS_MIN, {
    error: 'must be a duration of at least a minute, such as 90m, 12h or 7d',
  })

const logLimit = z
  .string()
  .transform((text) => parseBytes(text) ?? Number.NaN)
  .refine((bytes) => bytes > 0, { error: 'must be a number of bytes, such as 50000000000 or 50GB' })

const ranges = z
  .string()
  .transform(splitList)
  .refine((list) => list.every(isAddressRange), {
    error: 'must be a list of CIDR ranges, such as 10.0.0.0/8,fd00::/8',
  })

const environmentSchema = z.object({
  MILLRACE_STORAGE_URL: storageUrl,
  MILLRACE_SECRET_KEY: secretKey.optional(),
  MILLRACE_ADMIN_TOKEN: adminToken.optional(),
  MILLRACE_HOST: z
    .string()
    .regex(/^\S+$/, 'must be a host name or an address')
    .default('127.0.0.1'),
  MILLRACE_PORT: port.default(4400),
  MILLRACE_ROLES: roles.default(new Set(ROLES)),
  MILLRACE_CONFIG: z.string().optional(),
  MILLRACE_RETENTION: retention.default(7 * DURATION_UNIT_MS.d),
  MILLRACE_LOG_LIMIT: logLimit.optional(),
  MILLRACE_PUSH_ALLOW: ranges.default([]),
  MILLRACE_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')
    .default('info'),
})

/**
 * Reads the settings of a server. An empty variable counts as absent.
 * @throws ConfigError with one line for each setting that is missing or wrong
 */
export function readConfig(environment: Environment): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  )
  const result = environmentSchema.safeParse(present)
  if (!result.success) throw new ConfigError(describeIssues(result.error.issues, present))
  const settings = result.data
  return {
    storageUrl: settings.MILLRACE_STORAGE_URL,
    secretKey: settings.MILLRACE_SECRET_KEY,
    adminToken: settings.MILLRACE_ADMIN_TOKEN,
    host: settings.MILLRACE_HOST,
    port: settings.MILLRACE_PORT,
    roles: settings.MILLRACE_ROLES,
    configFile: settings.MILLRACE_CONFIG,
    retentionMs: settings.MILLRACE_RETENTION,
    logLimitBytes: settings.MILLRACE_LOG_LIMIT,
    pushAllow: settings.MILLRACE_PUSH_ALLOW,
    logLevel: settings.MILLRACE_LOG_LEVEL,
  }
}

const PREFIX = 'MILLRACE_'

/**
 * A line for each variable that looks like a setting misspelt. Others that begin alike are
 * let pass: the configuration file may name any, and Kubernetes sets some of its own.
 */
export function listMisspelt(environment: Environment): string[] {
  const known = Object.keys(environmentSchema.shape).map((name) => name.slice(PREFIX.length))
  const others = new Set(['URL', 'TOKEN', ...known])
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !others.has(name.slice(PREFIX.length)))
    .flatMap((name) => {
      const meant = closestName(name.slice(PREFIX.length), known)
      return meant === undefined ? [] : [`${name} is no setting; ${PREFIX}${meant} is`]
    })
}

/** Where the commands that talk to a server find it. */
export interface ClientConfig {
  readonly url: string
  readonly token: string | undefined
}

const CLIENT_URL = 'http://127.0.0.1:4400'

/**
 * Flags go before the environment, and that before what `millrace login` keeps; empty
 * counts as absent. A kept token goes to the address it was kept for, and to no other.
 * @throws ConfigError for an address that is none
 */
export function readClientConfig(
  environment: Environment,
  flags: { url?: string; token?: string },
  login?: { readonly url: string; readonly token: string },
): ClientConfig {
  const url = flags.url || environment['MILLRACE_URL'] || login?.url || CLIENT_URL
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const name = flags.url ? '--url' : 'MILLRACE_URL'
    throw new ConfigError([`${name} must be an address such as ${CLIENT_URL}`])
  }
  const kept = login && new URL(login.url).href === new URL(url).href ? login.token : undefined
  return { url, token: flags.token || environment['MILLRACE_TOKEN'] || kept }
}

/** What `millrace doctor` looks at besides the server. */
export interface DoctorConfig {
  /** Undefined: the server is asked about its storage. */
  readonly storageUrl: string | undefined
  /** Undefined where it cannot be known: only a storage's own environment has the key. */
  readonly hasSecretKey: boolean | undefined
}

/** @throws ConfigError for a URL that is none */
export function readDoctorConfig(environment: Environment, flag?: string): DoctorConfig {
  const url = flag || environment['MILLRACE_STORAGE_URL']
  if (!url) return { storageUrl: undefined, hasSecretKey: undefined }
  const result = storageUrl.safeParse(url)
  if (!result.success) {
    const name = flag ? '--storage-url' : 'MILLRACE_STORAGE_URL'
    throw new ConfigError([`${name} ${result.error.issues[0]!.message}`])
  }
  const isOwn = !flag
  return {
    storageUrl: result.data,
    hasSecretKey: isOwn ? Boolean(environment['MILLRACE_SECRET_KEY']) : undefined,
  }
}

/** The environment of this process: the one place that looks. */
export function readEnvironment(): Environment {
  return process.env
}

/** `90s`, `15m`, `12h`, `7d` in ms; undefined: not a duration. */
function parseDurationMs(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,6})\s?([smhd])$/.exec(text.trim().toLowerCase()) ?? []
  return amount && unit && isKeyOf(unit, DURATION_UNIT_MS)
    ? Number(amount) * DURATION_UNIT_MS[unit]
    : undefined
}

/** `1000`, `64MB`, `50 GB` in bytes; undefined: not a size. */
function parseBytes(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,15})\s?([kmgt]b)?$/.exec(text.trim().toLowerCase()) ?? []
  return amount && isKeyOf(unit, SIZE_UNIT_BYTES)
    ? Number(amount) * SIZE_UNIT_BYTES[unit]
    : undefined
}

function isKeyOf<T extends object>(key: PropertyKey, object: T): key is keyof T {
  return Object.hasOwn(object, key)
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  )
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function describeIssues(issues: readonly z.core.$ZodIssue[], present: object): string[] {
  const lines = new Map<string, string>()
  for (const issue of issues) {
    const name = String(issue.path[0])
    if (lines.has(name)) continue
    lines.set(name, `${name} ${Object.hasOwn(present, name) ? issue.message : 'is missing'}`)
  }
  return [...lines.values()]
}
