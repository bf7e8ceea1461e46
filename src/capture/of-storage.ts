import { NotTheReaderError } from '../log/append.ts'
import { StorageError } from './capture-failure.ts'

/** Tells an error of the storage from the same error of the source. */
export function ofStorage<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw error instanceof NotTheReaderError ? error : toStorageError(error)
  })
}

export function toStorageError(error: unknown): StorageError {
  const message = error instanceof Error ? error.message : String(error)
  return new StorageError(message, { cause: error })
}
