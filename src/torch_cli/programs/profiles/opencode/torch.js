// Reports to Torch what opencode does: each event becomes one call of `torch hook`, in their order.
// It is given to programs that `torch spawn` starts, and does nothing in others.
//
// It also answers a permission request for `torch answer`: while one is open, a file
// PID-ID.open in $TORCH_ANSWERS describes it. Who puts a file PID-ID.reply there has it answered,
// through opencode itself, and reads in PID-ID.done what opencode said. (src/torch_cli/attention/reply.py)

import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const command = process.env.TORCH_HOOK
const answers = process.env.TORCH_ANSWERS

// Milliseconds between two looks for a reply, while a request is open.
const LOOK = 50

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

// The requests that are open, by their ids.
const open = new Map()
let looking

function file(id, kind) {
  return join(answers, `${process.pid}-${id}.${kind}`)
}

function write(path, value) {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function asked(request, client) {
  if (!answers || !/^per_[A-Za-z0-9]+$/.test(request.id ?? "")) return
  if (typeof client?.postSessionIdPermissionsPermissionId !== "function") return // another opencode
  const { id, sessionID, permission, patterns, metadata } = request
  const given = [...(patterns ?? []), ...Object.values(metadata ?? {})]
  try {
    mkdirSync(answers, { recursive: true, mode: 0o700 })
    write(file(id, "open"), { permission, given: given.filter((one) => typeof one === "string") })
  } catch {
    return // it is answered at the screen then
  }
  open.set(id, { sessionID, client })
  looking ??= setInterval(look, LOOK)
}

function closed(id) {
  if (!open.delete(id)) return
  rmSync(file(id, "open"), { force: true })
  if (open.size) return
  clearInterval(looking)
  looking = undefined
}

function look() {
  for (const id of open.keys()) {
    if (existsSync(file(id, "reply"))) answer(id).catch(() => {})
  }
}

// Only who moves the reply away may act on it, and opencode takes one reply to each request.
async function answer(id) {
  const { sessionID, client } = open.get(id)
  const taken = file(id, "taken")
  renameSync(file(id, "reply"), taken)
  const { reply } = JSON.parse(readFileSync(taken, "utf8"))
  rmSync(taken)
  let result
  try {
    const path = { id: sessionID, permissionID: id }
    result = await client.postSessionIdPermissionsPermissionId({ path, body: { response: reply } })
  } catch (error) {
    result = { error, response: {} }
  }
  const { error, response } = result
  write(file(id, "done"), { reply, ok: !error && response?.ok === true, status: response?.status })
}

export const Torch = async ({ directory, client }) => ({
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
    if (event.type === "permission.asked") asked(event.properties, client)
    if (event.type === "permission.replied") closed(event.properties.requestID)
    if (REPORTED.has(event.type)) ended(event.type, sessionID, error)
  },
})
