import { MillraceError } from '../errors.ts'
import {
  createPushSecrets,
  openPushSecrets,
  rotatePushSecret,
  sealPushSecrets,
  type PushSecrets,
} from '../push/push-secrets.ts'
import {
  pushContext,
  type ConsumerStoreOptions,
  type StoredConsumer,
} from '../queue/consumer-store.ts'
import { seal, unseal } from '../storage/seal.ts'

/**
 * Keeps a webhook's headers and signing secrets through one change of a consumer,
 * and remembers the secret it made, to be shown once.
 */
export class PushKeeper implements ConsumerStoreOptions {
  readonly #key: Buffer | undefined
  #made: PushSecrets | undefined

  /** Without a key webhooks are refused: `secret_key_missing`. */
  constructor(secretKey: Buffer | undefined) {
    this.#key = secretKey
  }

  /** Secrets outlive a change of the webhook; headers that are left out stay. */
  readonly sealPush: ConsumerStoreOptions['sealPush'] = (consumerId, push, before) => {
    if (push === null) return before
    if (before === null) {
      this.#made = createPushSecrets(push.headers)
      return this.#seal(consumerId, this.#made)
    }
    if (push.headers === undefined) return before
    return this.#seal(consumerId, { ...this.#open(consumerId, before), headers: push.headers })
  }

  /** @throws MillraceError `conflict` where there is no webhook */
  rotate(consumer: StoredConsumer): Buffer {
    const { id, name, pushSealed } = consumer
    if (pushSealed === null) {
      throw new MillraceError('conflict', `The consumer "${name}" has no webhook.`)
    }
    this.#made = rotatePushSecret(this.#open(id, pushSealed))
    return this.#seal(id, this.#made)
  }

  /** A member for the answer if a secret was made, and none otherwise. */
  presentSecret(): { push_secret?: string } {
    const secret = this.#made?.secrets[0]?.secret
    return secret === undefined ? {} : { push_secret: secret }
  }

  presentRotation(): { push_secret?: string; previous_expires_at: string | null } {
    return {
      ...this.presentSecret(),
      previous_expires_at: this.#made?.secrets[1]?.expiresAt ?? null,
    }
  }

  #seal(consumerId: string, secrets: PushSecrets): Buffer {
    return sealPushSecrets(secrets, (text) => seal(this.#key, text, pushContext(consumerId)))
  }

  #open(consumerId: string, sealed: Buffer): PushSecrets {
    return openPushSecrets(sealed, (bytes) => unseal(this.#key, bytes, pushContext(consumerId)))
  }
}
