export type { Backfill } from './backfills.ts'
export { createClient, type Client } from './client.ts'
export type {
  Consumer,
  Consumers,
  ConsumerStats,
  CreatedConsumer,
  FanOut,
  ListedMessage,
  PushTest,
} from './consumers.ts'
export type { Duration } from './duration.ts'
export {
  ApiError,
  AuthError,
  ConflictError,
  LeaseLostError,
  MillraceError,
  NetworkError,
  NotFoundError,
  RateLimitError,
  TimeoutError,
  ValidationError,
  type Problem,
  type ProblemDetail,
} from './errors.ts'
export type { components, paths } from './generated/schema.ts'
export type { CallOptions, ClientOptions } from './http.ts'
export type {
  Change,
  Delivery,
  Message,
  Metadata,
  PushedMessage,
  RowAdded,
  RowDeleted,
  RowUpdated,
  TableTruncated,
  UnknownRow,
} from './message.ts'
export { parseJson, type NumberMode } from './parse-json.ts'
export type {
  ExtendOptions,
  NackOptions,
  QueueClient,
  Received,
  ReceiveOptions,
  SettleAnswer,
  SettleBody,
} from './queue-client.ts'
export type { LoggedChange, Source, Sources } from './sources.ts'
export type { StandardSchema } from './standard-schema.ts'
export type { Token, Tokens } from './tokens.ts'
export {
  verify,
  WebhookVerificationError,
  type VerificationCode,
  type VerifiedPush,
  type VerifyOptions,
} from './verify.ts'
export type { ConsumeOptions } from './worker/consume.ts'
export type { ConsumedMessage, Settling } from './worker/desk.ts'
export {
  PermanentError,
  ProcessingTimeoutError,
  RetryLater,
  WorkerStoppedError,
} from './worker/outcome.ts'
export type { WorkerEvents } from './worker/worker-events.ts'
export type {
  BatchResult,
  Handle,
  HandleBatch,
  HandlerContext,
  WorkerOptions,
} from './worker/worker-options.ts'
export { createWorker, type Worker } from './worker/worker.ts'
