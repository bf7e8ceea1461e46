export interface Snippet {
  language: string
  text: string
}

export function pullSnippets(origin: string, consumer: string, token: string): Snippet[] {
  return [
    {
      language: 'TypeScript',
      text: `import { createClient, createWorker } from '@millrace/client'

const client = createClient({
  baseUrl: '${origin}',
  token: '${token}',
})

const worker = createWorker(client, {
  consumer: '${consumer}',
  concurrency: 10,
  async handle({ action, record, metadata }) {
    // Returning acks; throwing brings the message back later.
    console.log(action, metadata.table_name, record)
  },
})

process.once('SIGTERM', () => worker.stop())
await worker.run()
`,
    },
    {
      language: 'curl',
      text: `# Receive: waits up to 20 s for messages, and leases them.
curl -s ${origin}/v1/consumers/${consumer}/receive \\
  -H 'authorization: Bearer ${token}' \\
  -H 'content-type: application/json' \\
  -d '{"batch_size": 10, "wait_for": "20s"}'

# Ack what was done, by the ack_id of each message.
curl -s ${origin}/v1/consumers/${consumer}/ack \\
  -H 'authorization: Bearer ${token}' \\
  -H 'content-type: application/json' \\
  -d '{"ack_ids": ["…"]}'
`,
    },
    {
      language: 'Python',
      text: `import json, urllib.request

URL = "${origin}/v1/consumers/${consumer}/"
TOKEN = "${token}"

def call(name, body):
    request = urllib.request.Request(
        URL + name,
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)

while True:
    for message in call("receive", {"batch_size": 10, "wait_for": "20s"})["data"]:
        print(message["action"], message["metadata"]["table_name"], message["record"])
        call("ack", {"ack_ids": [message["ack_id"]]})
`,
    },
  ]
}

export function pushSnippets(): Snippet[] {
  return [
    {
      language: 'TypeScript',
      text: `import { createServer } from 'node:http'
import { verify } from '@millrace/client'

const secrets = ['whsec_…'] // shown when the consumer was created

createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  try {
    const { messages } = await verify(Buffer.concat(chunks), request.headers, secrets)
    for (const { action, record } of messages) console.log(action, record)
    response.writeHead(204).end()
  } catch {
    response.writeHead(401).end()
  }
}).listen(8080)
`,
    },
    {
      language: 'Python',
      text: `import base64, hashlib, hmac, json
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = base64.b64decode("whsec_…".removeprefix("whsec_"))

class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f'{self.headers["webhook-id"]}.{self.headers["webhook-timestamp"]}.'.encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
        given = self.headers["webhook-signature"].split(" ")
        if not any(hmac.compare_digest(expected, each) for each in given):
            return self.send_error(401)
        message = json.loads(body)
        print(message["action"], message["record"])
        self.send_response(204)
        self.end_headers()

HTTPServer(("", 8080), Hook).serve_forever()
`,
    },
  ]
}
