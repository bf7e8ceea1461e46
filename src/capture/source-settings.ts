/** How a source is reached. The password is never logged or put into an error. */
export interface SourceConnection {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | null
  readonly ssl: SslSettings
}

export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

export interface SslSettings {
  readonly mode: SslMode
  /** Certificates to trust, in PEM; those of the system when left out. */
  readonly ca?: string
}

/** Everything that reading a source needs to know of it. */
export interface SourceSettings extends SourceConnection {
  readonly sourceNo: number
  readonly name: string
  readonly slot: string
  readonly publication: string
}
