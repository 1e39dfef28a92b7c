// Reports to Torch what opencode does: each event becomes one call of `torch hook`, in their order.
// It is given to programs that `torch spawn` starts, and does nothing in others.

import { spawn } from "node:child_process"

const command = process.env.TORCH_HOOK

let last = Promise.resolve()

function call(event) {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "ignore", "ignore"] })
    child.on("error", resolve)
    child.on("close", resolve)
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify(event))
  })
}

function report(name, session, fields) {
  if (!command) return
  const event = { hook_event_name: name, session_id: session ?? "", ...fields }
  last = last.then(() => call(event))
}

const REPORTED = new Set([
  "permission.asked",
  "permission.replied",
  "session.idle",
  "session.error",
  "session.compacted",
])

// Sessions whose last turn has failed. Its end follows, once or twice, and says nothing of that.
const failed = new Set()

// What its API said, first its status: so Torch knows the kind of the error.
function words(error) {
  const { message, statusCode } = error.data ?? {}
  const said = message ?? error.name ?? ""
  return statusCode ? `API Error: ${statusCode} ${said}` : said
}

function ended(type, session, error) {
  if (type === "session.error" && error && error.name !== "MessageAbortedError") {
    failed.add(session)
    report("session.failed", session, { error: error.name, last_assistant_message: words(error) })
  } else if (type !== "session.idle" || !failed.has(session)) {
    report(type, session)
  }
}

export const Torch = async ({ directory }) => ({
  "chat.message": async (input, output) => {
    failed.delete(input.sessionID)
    const texts = output.parts.filter((part) => part.type === "text" && !part.synthetic)
    report("chat.message", input.sessionID, {
      prompt: texts.map((part) => part.text).join(""),
      cwd: directory,
    })
  },
  event: async ({ event }) => {
    const { sessionID, status, error } = event.properties ?? {}
    if (status?.type === "busy") failed.delete(sessionID)
    if (REPORTED.has(event.type)) ended(event.type, sessionID, error)
  },
})
