import { fork } from 'node:child_process'

/**
 * Runs a script in a process of its own, hands it one task and
 * waits for one answer.
 */
export async function runWorkerProcess<Task extends object, Answer>(
  script: URL,
  task: Task,
): Promise<Answer> {
  const child = fork(script)
  return new Promise<Answer>((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as Answer))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${script.pathname} ended with ${code}`)))
    child.send(task)
  })
}

/** The other end: does the task it is sent, answers, and ends. */
export function serveTask<Task, Answer>(work: (task: Task) => Promise<Answer>): void {
  process.once('message', (task) => {
    work(task as Task)
      .then((answer) => process.send?.(answer, () => process.exit(0)))
      .catch((error: unknown) => {
        console.error(error)
        process.exit(1)
      })
  })
}
