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

export const Torch = async ({ directory }) => ({
  "chat.message": async (input, output) => {
    const texts = output.parts.filter((part) => part.type === "text" && !part.synthetic)
    report("chat.message", input.sessionID, {
      prompt: texts.map((part) => part.text).join(""),
      cwd: directory,
    })
  },
  event: async ({ event }) => {
    if (REPORTED.has(event.type)) report(event.type, event.properties?.sessionID)
  },
})
