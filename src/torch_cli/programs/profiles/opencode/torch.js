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
  "question.asked",
  "question.replied",
  "question.rejected",
])

// Sub-agents work in sessions of their own, each below another: what kind each is, by its session.
// That one of them is idle is not the end of the agent's turn.
const helpers = new Map()

// The sessions of which it was reported that they are at work, by a message too.
const working = new Set()

function helper(session, works) {
  if (works === working.has(session)) return
  if (works) working.add(session)
  else working.delete(session)
  const fields = { agent_id: session, agent_type: helpers.get(session) }
  report(works ? "subagent.began" : "subagent.ended", "", fields)
}

// The sessions that wait for another attempt after an error, and those that compact their context.
const retrying = new Set()
const compacting = new Set()

// A turn that no message began, for example of the command /compact, or the next attempt of one.
function busy(session) {
  failed.delete(session)
  if (!retrying.delete(session) && working.has(session)) return
  working.add(session)
  report(compacting.has(session) ? "session.compacting" : "session.busy", session)
}

// opencode tries again after an error, at the time ``next``, in milliseconds since the epoch.
function retry(session, { attempt, message, next }) {
  working.add(session)
  retrying.add(session)
  report("session.retrying", session, { attempt, message, next })
}

// Sessions whose last turn has failed. Its end follows, once or twice, and says nothing of that.
const failed = new Set()

// What its API said, first its status: so Torch knows the kind of the error.
function words(error) {
  const { message, statusCode } = error.data ?? {}
  const said = message ?? error.name ?? ""
  return statusCode ? `API Error: ${statusCode} ${said}` : said
}

function happened(type, session, error) {
  if (type === "session.compacted") compacting.delete(session)
  if (type === "session.idle" || type === "session.error")
    for (const one of [working, retrying, compacting]) one.delete(session)
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
    if (helpers.has(input.sessionID)) return
    failed.delete(input.sessionID)
    compacting.delete(input.sessionID)
    working.add(input.sessionID)
    const texts = output.parts.filter((part) => part.type === "text" && !part.synthetic)
    report("chat.message", input.sessionID, {
      prompt: texts.map((part) => part.text).join(""),
      cwd: directory,
    })
  },
  "experimental.session.compacting": async ({ sessionID }) => {
    if (helpers.has(sessionID)) return
    compacting.add(sessionID)
    report("session.compacting", sessionID)
  },
  event: async ({ event }) => {
    const { sessionID, status, error, info } = event.properties ?? {}
    if (info?.parentID && event.type.startsWith("session.")) helpers.set(info.id, info.agent ?? "")
    if (event.type === "permission.asked") asked(event.properties, client)
    if (event.type === "permission.replied") closed(event.properties.requestID)
    if (helpers.has(sessionID) && event.type.startsWith("session.")) {
      if (status) helper(sessionID, status.type !== "idle")
      else if (["session.idle", "session.error", "session.deleted"].includes(event.type))
        helper(sessionID, false)
    } else if (status?.type === "busy") busy(sessionID)
    else if (status?.type === "retry") retry(sessionID, status)
    else if (REPORTED.has(event.type)) happened(event.type, sessionID, error)
  },
})
