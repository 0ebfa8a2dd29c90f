// The live page: the endpoint's sessions, faults, journal and clock, over the admin API.
//
// The rules of this file:
// - What the endpoint says is kept in `state`. Each view is drawn from it, at most ten times a second,
//   however many events come in.
// - A row is kept while what it shows is still there: one that is built anew would lose the focus, the
//   selection and what is open in it.
// - What is kept and what is shown is bounded, so the page can stay open for a night of heavy testing.
// - Data is written as text and never as markup.

const REQUESTS_KEPT = 500;
const SESSIONS_SHOWN = 200;
const DRAW_MILLISECONDS = 100;
const RELOAD_MILLISECONDS = 1000;
const RECONNECT_MILLISECONDS = 2000;
const MESSAGE_MILLISECONDS = 6000;
const TOKEN_NEEDED = "nimble-stop-token-needed";

const state = {
  sessions: new Map(), // by studio and session
  requests: [], // the newest first
  faults: [],
  clock: { now: NaN, skippedSeconds: 0, readAt: 0 }, // `now` in milliseconds since 1970, at `readAt`
  statesShown: new Set(), // empty for all
  sessionsShown: SESSIONS_SHOWN,
  pausedRequests: null, // what is shown while the journal is paused
  missedWhilePaused: 0,
};

// Elements

const byId = (id) => document.getElementById(id);

/** Make an element; children are elements or text, and what is missing is left out. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function makeButton(label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "small", onclick, ...attributes }, label);
}

/** Write text only where it differs: a screen reader reads what is written. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let messageTimer = null;

/** Say how an action ended; a problem stays until it is closed. */
function say(text, isProblem = false) {
  clearTimeout(messageTimer);
  byId("message").classList.toggle("problem", isProblem);
  byId("message-text").textContent = text;
  byId("message-close").hidden = false;
  if (!isProblem) messageTimer = setTimeout(closeMessage, MESSAGE_MILLISECONDS);
}

function closeMessage() {
  byId("message-text").textContent = "";
  byId("message-close").hidden = true;
}

/** Ask before something is lost. */
function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Drawing

/** Return a function that has `draw` called soon, and once for all calls until then. */
function drawnSoon(draw) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      draw();
    }, DRAW_MILLISECONDS);
  };
}

/**
 * The rows of a table, one `tbody` for each item: its row, and below it what the row opens.
 *
 * `keyOf` identifies an item. `build` returns a row's cells and a function that fills them with an
 * item; `detail` does the same for what it opens, and is called when it is opened first.
 */
class Rows {
  constructor(table, { keyOf, build, detail }) {
    Object.assign(this, { table, keyOf, build, detail });
    this.rows = new Map();
    this.isFilled = false;
  }

  draw(items) {
    const wanted = new Map(items.map((item) => [this.keyOf(item), item]));
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) this.remove(key, row);
    }
    let next = this.table.tBodies[0] ?? null;
    for (const [key, item] of wanted) {
      const row = this.rows.get(key) ?? this.add(key, item);
      if (row.item !== item) {
        row.item = item;
        row.update(item);
      }
      if (row.group === next) next = row.group.nextElementSibling;
      else this.table.insertBefore(row.group, next);
    }
    this.isFilled = true;
  }

  add(key) {
    const group = make("tbody");
    const toggle = make("button", { type: "button", class: "toggle", "aria-expanded": "false" });
    const { cells, fill } = this.build(toggle);
    // A row that came while somebody watched is marked for a moment.
    group.append(make("tr", { class: this.isFilled ? "row new" : "row" }, ...cells));
    const row = { group, toggle, item: null, fillDetail: null };
    row.update = (item) => {
      fill(item);
      row.fillDetail?.(item);
    };
    toggle.addEventListener("click", () => this.open(row, cells.length));
    this.rows.set(key, row);
    return row;
  }

  open(row, columns) {
    const isOpen = row.toggle.getAttribute("aria-expanded") === "true";
    row.toggle.setAttribute("aria-expanded", String(!isOpen));
    if (row.fillDetail === null) {
      const { content, fill } = this.detail(row.item);
      row.fillDetail = fill;
      fill(row.item);
      row.group.append(make("tr", { class: "detail" }, make("td", { colspan: columns }, ...content)));
    } else {
      row.group.lastElementChild.hidden = isOpen;
    }
  }

  remove(key, row) {
    if (row.group.contains(document.activeElement)) {
      const neighbour = row.group.nextElementSibling ?? row.group.previousElementSibling;
      const heir = neighbour?.querySelector(".toggle") ?? this.table.closest(".panel");
      heir.focus();
    }
    row.group.remove();
    this.rows.delete(key);
  }
}

/** Show the members of an object as a list of names and values; those that are missing are left out. */
function fillMembers(list, members) {
  const known = Object.entries(members).filter(([, value]) => !isMissing(value));
  list.replaceChildren(
    ...known.flatMap(([name, value]) => [
      make("dt", {}, name),
      make("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)),
    ]),
  );
}

function isMissing(value) {
  return value === null || value === undefined || value === "" || isEmpty(value);
}

const isEmpty = (value) => typeof value === "object" && Object.keys(value).length === 0;

/** Make a line that can be copied; returns it, and the function that sets its text. */
function makeCommand(label) {
  const text = make("pre", { "aria-label": label });
  const button = makeButton("Copy", () => copy(text), { "aria-label": `Copy: ${label}` });
  const element = make("div", {}, make("h3", {}, label), make("div", { class: "command" }, text, button));
  return { element, set: (line) => setText(text, line) };
}

async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    say("Copied.");
  } catch {
    // Without HTTPS a browser offers its clipboard to pages of this machine only.
    getSelection().selectAllChildren(element);
    say("Selected; the browser does not let this page copy it.");
  }
}

// The admin API. A call is a value, so that it can be sent or be shown as a command line.

function call(method, path, body) {
  return { method, path, body };
}

/** Send a call; returns the answer's document, or throws an Error that says what is allowed. */
async function send({ method, path, body }) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The endpoint cannot be reached.");
  }
  const text = await response.text();
  if (response.ok) return text === "" ? null : JSON.parse(text);
  if (response.status === 401) askForToken();
  throw new Error(messageOf(text) ?? `The endpoint answered with status ${response.status}.`);
}

function messageOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return null;
  }
}

/** Show the form of the admin token; a cookie that no script can read takes the token's place. */
function askForToken() {
  sessionStorage.setItem(TOKEN_NEEDED, "yes");
  if (!byId("login").open) byId("login").showModal();
}

async function logIn(event) {
  event.preventDefault();
  const token = byId("login-token");
  try {
    await send(call("POST", "login", { token: token.value }));
  } catch (error) {
    byId("login-problem").textContent = error.message;
    return;
  }
  token.value = "";
  byId("login-problem").textContent = "";
  byId("login").close();
}

/** Do what the user asked for, and say how it ended. */
async function act(action, done) {
  try {
    const answer = await send(action);
    if (done) say(done);
    return { answer };
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

function sessionPath({ studioId, sessionId }) {
  return `sessions/${encodeURIComponent(studioId)}/${encodeURIComponent(sessionId)}`;
}

// Command lines and Python

const shellQuoted = (text) => (/^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function curlLine({ method, path, body }) {
  const words = ["curl"];
  if (sessionStorage.getItem(TOKEN_NEEDED)) words.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  if (method !== "GET") words.push("-X", method);
  words.push(shellQuoted(new URL(path, location.href).href));
  if (body !== undefined) {
    words.push("-H", "'Content-Type: application/json'", "-d", shellQuoted(JSON.stringify(body)));
  }
  return words.join(" ");
}

function pythonValue(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${pythonValue(item)}`)
    .join(", ")}}`;
}

function pythonArguments(members) {
  return Object.entries(members)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${pythonValue(value)}`);
}

function pythonCall(name, positional, keywords = {}) {
  return `${name}(${[...positional.map(pythonValue), ...pythonArguments(keywords)].join(", ")})`;
}

/** Write a request of the journal as a call of the client; null for operations that it does not have. */
function clientCall(request) {
  const body = parsedBody(request);
  switch (request.operation) {
    case "StopStreamingSession":
      return pythonCall("client.stop_session", [request.studioId, request.sessionId], {
        retention: body.volumeRetentionMode,
        client_token: request.clientToken,
      });
    case "GetStreamingSession":
      return pythonCall("client.get_session", [request.studioId, request.sessionId]);
    case "ListStreamingSessions": {
      const query = new URLSearchParams(request.path.split("?")[1] ?? "");
      return `list(${pythonCall("client.list_sessions", [request.studioId], {
        owned_by: query.get("ownedBy"),
        created_by: query.get("createdBy"),
      })})`;
    }
    default:
      return null;
  }
}

function parsedBody({ body }) {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}

/** Write a request of the journal as a command line that signs it. */
function signedCurlLine({ method, path, body, clientToken }) {
  const words = [
    "curl",
    '--aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:nimble"',
    '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
  ];
  if (method !== "GET") words.push("-X", method);
  words.push(shellQuoted(location.origin + path));
  if (clientToken) words.push("-H", shellQuoted(`X-Amz-Client-Token: ${clientToken}`));
  if (body) words.push("-H", "'Content-Type: application/json'", "-d", shellQuoted(body));
  return words.join(" ");
}

// Time

const two = (number) => String(number).padStart(2, "0");

/** Write seconds as a person reads them: 42 s, 3:05 min, 2:03:05 h. */
function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours) return `${hours}:${two(minutes)}:${two(rest)} h`;
  return minutes ? `${minutes}:${two(rest)} min` : `${rest} s`;
}

/** Write a time of today as 07:20:31, another as 11-23 07:20. */
function shortTime(time) {
  if (!time) return "";
  const isToday = time.slice(0, 10) === new Date(sessionsNow() || Date.now()).toISOString().slice(0, 10);
  return isToday ? time.slice(11, 19) : `${time.slice(5, 10)} ${time.slice(11, 16)}`;
}

const sessionsNow = () => state.clock.now + performance.now() - state.clock.readAt;

function setClock({ now, skippedSeconds }) {
  state.clock = { now: Date.parse(now), skippedSeconds, readAt: performance.now() };
  drawTime();
}

function drawTime() {
  const now = sessionsNow();
  if (!Number.isNaN(now)) {
    setText(byId("clock-now"), `${new Date(now).toISOString().slice(0, 19).replace("T", " ")} UTC`);
    const { skippedSeconds } = state.clock;
    setText(byId("clock-skipped"), skippedSeconds ? `(${duration(skippedSeconds)} ahead)` : "");
  }
  for (const element of document.querySelectorAll("[data-due]")) {
    setText(element, timeLeft(Number(element.dataset.due)));
  }
}

function timeLeft(due) {
  const seconds = due - sessionsNow() / 1000;
  return seconds > 0 ? `${duration(seconds)} left` : "due";
}

// Sessions

const sessionKey = ({ studioId, sessionId }) => JSON.stringify([studioId, sessionId]);
const isMoving = ({ state: name }) => name.endsWith("_IN_PROGRESS");

/** Return the class of a state: what its badge looks like. */
function kindOfState(name) {
  if (name.endsWith("_IN_PROGRESS")) return "moving";
  if (name.endsWith("_FAILED")) return "failed";
  return name.toLowerCase();
}

const makeBadge = (name) => make("span", { class: `badge ${kindOfState(name)}` }, name);

const sessionRows = new Rows(byId("sessions-table"), {
  keyOf: sessionKey,
  build(toggle) {
    const [studio, stateCell] = [make("span", { class: "beside" }), make("td")];
    const [owner, updated] = [make("td", { class: "wide" }), make("td", { class: "wide time" })];
    const left = make("span", { class: "narrow muted" });
    const { buttons, fill: fillButtons } = makeSessionButtons();
    const fill = (session) => {
      setText(toggle, session.sessionId);
      setText(studio, session.studioId);
      stateCell.replaceChildren(makeBadge(session.state), left);
      setText(owner, session.ownedBy ?? "");
      fillTimeLeft(left, session, "");
      fillTimeLeft(updated, session, shortTime(session.updatedAt));
      updated.title = session.updatedAt ?? "";
      fillButtons(session);
    };
    const name = make("th", { scope: "row" }, toggle, studio);
    return {
      cells: [name, stateCell, owner, updated, make("td", { class: "wide actions" }, ...buttons)],
      fill,
    };
  },
  detail() {
    const members = make("dl", { class: "members" });
    const { buttons, fill: fillButtons } = makeSessionButtons();
    const commands = [
      "Stop it, in Python",
      "Stop it, in a shell",
      "Read it",
      "Complete its transition",
      "Delete it",
    ].map(makeCommand);
    const fill = (session) => {
      const path = sessionPath(session);
      const lines = [
        pythonCall("client.stop_session", [session.studioId, session.sessionId]),
        `nimble-stop stop ${shellQuoted(session.studioId)} ${shellQuoted(session.sessionId)}`,
        curlLine(call("GET", path)),
        curlLine(call("POST", `${path}/complete`)),
        curlLine(call("DELETE", path)),
      ];
      commands.forEach((command, index) => command.set(lines[index]));
      fillMembers(members, session);
      fillButtons(session);
    };
    const actions = make("div", { class: "form-actions" }, ...buttons);
    return { content: [members, actions, ...commands.map(({ element }) => element)], fill };
  },
});

/** Make the buttons of a session: they act on the one that they were filled with last. */
function makeSessionButtons() {
  let session = null;
  const complete = makeButton("Complete", () =>
    act(
      call("POST", `${sessionPath(session)}/complete`),
      `The transition of ${session.sessionId} is complete.`,
    ),
  );
  const remove = makeButton("Delete", () =>
    act(call("DELETE", sessionPath(session)), `${session.sessionId} is deleted.`),
  );
  const fill = (filled) => {
    session = filled;
    const hadFocus = document.activeElement === complete;
    complete.hidden = !isMoving(session);
    // Not to the button beside it, which deletes the session.
    if (hadFocus && complete.hidden) complete.closest("tbody").querySelector(".toggle").focus();
    complete.setAttribute("aria-label", `Complete the transition of ${session.sessionId}`);
    remove.setAttribute("aria-label", `Delete ${session.sessionId}`);
  };
  return { buttons: [complete, " ", remove], fill };
}

/** Write when the transition of a session ends; `drawTime` keeps it up to date. */
function fillTimeLeft(element, session, otherwise) {
  const due = session.transition?.due;
  delete element.dataset.due;
  if (typeof due === "number") element.dataset.due = due;
  if (!isMoving(session)) setText(element, otherwise);
  else setText(element, typeof due === "number" ? timeLeft(due) : "manual");
}

const drawSessions = drawnSoon(() => {
  const wanted = byId("sessions-filter").value.toLowerCase();
  const counts = new Map();
  const matching = [];
  for (const session of state.sessions.values()) {
    counts.set(session.state, (counts.get(session.state) ?? 0) + 1);
    const isShown = state.statesShown.size === 0 || state.statesShown.has(session.state);
    const text = `${session.studioId} ${session.sessionId} ${session.ownedBy ?? ""}`.toLowerCase();
    if (isShown && text.includes(wanted)) matching.push(session);
  }
  sessionRows.draw(matching.slice(0, state.sessionsShown));
  drawStateFilter(counts);
  drawCount("sessions-count", matching.length, state.sessions.size);
  drawEmpty(
    "sessions-empty",
    matching.length,
    state.sessions.size,
    "No session yet. Add one here, over the admin API, or start with nimble-stop serve --sample.",
  );
  const more = matching.length - state.sessionsShown;
  byId("sessions-more").hidden = more <= 0;
  setText(byId("sessions-more"), `Show more: ${more.toLocaleString("en")} are not shown`);
});

function drawCount(id, shown, all) {
  const [some, total] = [shown.toLocaleString("en"), all.toLocaleString("en")];
  setText(byId(id), shown === all ? total : `${some} of ${total}`);
}

function drawEmpty(id, shown, all, text) {
  byId(id).hidden = shown > 0;
  setText(byId(id), all > 0 ? "None matches the filter." : text);
}

const stateButtons = new Map();

function drawStateFilter(counts) {
  // A state that somebody filters by stays, also while no session is in it.
  const names = [...new Set([...counts.keys(), ...state.statesShown])].sort();
  for (const name of names) {
    if (stateButtons.has(name)) continue;
    const count = make("span", { class: "count" });
    const button = makeButton(makeBadge(name), () => toggleState(name));
    button.append(count);
    stateButtons.set(name, { button, count });
  }
  for (const [name, { button, count }] of stateButtons) {
    button.hidden = !names.includes(name);
    button.setAttribute("aria-pressed", String(state.statesShown.has(name)));
    setText(count, (counts.get(name) ?? 0).toLocaleString("en"));
    byId("state-filter").append(...(button.isConnected ? [] : [button]));
  }
}

function toggleState(name) {
  if (!state.statesShown.delete(name)) state.statesShown.add(name);
  drawSessions();
}

function sessionsChanged({ sessions }) {
  if (sessions === null) {
    reloadSessions();
    return;
  }
  for (const session of sessions) {
    if (session.state === null) state.sessions.delete(sessionKey(session));
    else state.sessions.set(sessionKey(session), session);
  }
  drawSessions();
}

async function loadSessions() {
  const { sessions } = await send(call("GET", "sessions"));
  state.sessions = new Map(sessions.map((session) => [sessionKey(session), session]));
  drawSessions();
}

let reloadTimer = null;

/** Read all sessions again, once a second at most. */
function reloadSessions() {
  reloadTimer ??= setTimeout(async () => {
    reloadTimer = null;
    await loadSessions().catch(() => {}); // A lost connection shows, and is followed by a load.
  }, RELOAD_MILLISECONDS);
}

// The journal

const journalRows = new Rows(byId("journal-table"), {
  keyOf: ({ requestId }) => requestId,
  build(toggle) {
    const [time, ms] = [make("td", { class: "time mono" }), make("td", { class: "wide number" })];
    const [session, answer] = [make("span", { class: "beside" }), make("td")];
    const fill = (request) => {
      const [seconds, fraction] = request.time.slice(11).replace("Z", "").split(".");
      time.replaceChildren(
        seconds,
        make("span", { class: "wide" }, `.${(fraction ?? "").padEnd(3, "0").slice(0, 3)}`),
      );
      time.title = request.time;
      setText(toggle, request.operation ?? `${request.method} ${request.path}`);
      setText(session, request.sessionId ?? request.studioId ?? "");
      answer.replaceChildren(...answerOf(request));
      setText(ms, (request.seconds * 1000).toFixed(1));
    };
    return { cells: [time, make("th", { scope: "row" }, toggle, session), answer, ms], fill };
  },
  // A request never changes, so it is shown once.
  detail(request) {
    const members = make("dl", { class: "members" });
    const { errorMessage, verification, body, faults, seconds, ...others } = request;
    fillMembers(members, { ...others, faults: faults.join(", "), milliseconds: (seconds * 1000).toFixed(3) });
    const python = clientCall(request);
    const content = [
      errorMessage ? make("p", { class: "why" }, errorMessage) : null,
      verification ? makeComparison(request, verification) : null,
      members,
      body && !verification ? make("h3", {}, "Body") : null,
      body && !verification ? make("pre", {}, body) : null,
      python ? makeFilledCommand("The same in Python", python) : null,
      makeFilledCommand("The same with curl", signedCurlLine(request)),
      makeFilledCommand("This record", curlLine(call("GET", `requests?after=${request.number - 1}&limit=1`))),
    ];
    return { content: content.filter((part) => part !== null), fill: () => {} };
  },
});

function answerOf({ status, errorCode, applied, faults }) {
  const failed = isRefused({ status });
  const badge = make(
    "span",
    { class: `badge ${failed ? "failed" : "success"}` },
    status === null ? "reset" : String(status),
  );
  const tags = [applied ? "applied" : null, ...faults].filter(Boolean);
  return [badge, " ", errorCode ?? "", ...tags.map((tag) => make("span", { class: "tag" }, tag))];
}

const isRefused = ({ status }) => status === null || status >= 400;

function makeFilledCommand(label, line) {
  const { element, set } = makeCommand(label);
  set(line);
  return element;
}

/** Show why a signature was refused: what was sent beside what the endpoint made of it. */
function makeComparison({ body }, verification) {
  const { sent, credentialScope, expectedScope, canonicalRequest, stringToSign } = verification;
  const isExpected = credentialScope === expectedScope;
  const part = (title, text) => make("div", {}, make("h3", {}, title), make("pre", {}, text));
  return make(
    "div",
    { class: "compared" },
    part("As it was sent", `${sent}\n\n${body}`),
    part("Computed: the canonical request", canonicalRequest),
    part("Computed: the string to sign", stringToSign),
    part(
      isExpected ? "The scope, as it should be" : "The scope that was sent, and the one expected",
      isExpected ? credentialScope : `${credentialScope}\n${expectedScope}`,
    ),
  );
}

const OUTCOMES = {
  "": () => true,
  refused: isRefused,
  applied: ({ applied }) => applied,
  faulty: ({ faults }) => faults.length > 0,
};

function matchesJournalFilter(request, wanted) {
  const { operation, path, studioId, sessionId, errorCode, clientToken, requestId, status } = request;
  const text = [operation, path, studioId, sessionId, errorCode, clientToken, requestId, status].join(" ");
  return text.toLowerCase().includes(wanted);
}

const drawJournal = drawnSoon(() => {
  const isPaused = state.pausedRequests !== null;
  const requests = state.pausedRequests ?? state.requests;
  setText(byId("journal-pause"), isPaused ? `Resume (${state.missedWhilePaused} new)` : "Pause");
  const wanted = byId("journal-filter").value.toLowerCase();
  const outcome = OUTCOMES[byId("journal-outcome").value];
  const matching = requests.filter((request) => outcome(request) && matchesJournalFilter(request, wanted));
  journalRows.draw(matching);
  drawCount("journal-count", matching.length, requests.length);
  drawEmpty(
    "journal-empty",
    matching.length,
    requests.length,
    "No request yet. Each one that comes in is shown here.",
  );
});

function requestRecorded(request) {
  state.requests.unshift(request);
  state.requests.length = Math.min(state.requests.length, REQUESTS_KEPT);
  state.missedWhilePaused += 1;
  drawJournal();
}

function journalCleared() {
  state.requests = [];
  state.pausedRequests &&= [];
  state.missedWhilePaused = 0;
  drawJournal();
}

function pauseJournal() {
  state.pausedRequests = state.pausedRequests === null ? [...state.requests] : null;
  state.missedWhilePaused = 0;
  drawJournal();
}

async function loadJournal() {
  const { requests } = await send(call("GET", `requests?limit=${REQUESTS_KEPT}`));
  state.requests = requests.reverse();
  drawJournal();
}

// Faults

const faultRows = new Rows(byId("faults-table"), {
  keyOf: ({ id }) => id,
  build(toggle) {
    const [what, which, count] = [
      make("span", { class: "beside" }),
      make("td", { class: "wide" }),
      make("td"),
    ];
    let shown = null;
    const remove = makeButton("Remove", () =>
      act(call("DELETE", `faults/${shown.id}`), `${shown.fault} is removed.`),
    );
    const fill = (fault) => {
      shown = fault;
      const { own, rule } = splitFault(fault);
      setText(toggle, fault.fault);
      setText(what, written(own));
      setText(which, written(rule) || "all");
      setText(count, fault.left === null ? String(fault.fired) : `${fault.fired}, ${fault.left} left`);
      remove.setAttribute("aria-label", `Remove ${fault.fault}`);
    };
    return {
      cells: [
        make("th", { scope: "row" }, toggle, what),
        which,
        count,
        make("td", { class: "actions" }, remove),
      ],
      fill,
    };
  },
  detail() {
    const members = make("dl", { class: "members" });
    const commands = ["Add it with curl", "Add it in Python", "Remove it with curl"].map(makeCommand);
    const fill = (fault) => {
      const { own, rule } = splitFault(fault);
      fillMembers(members, fault);
      const lines = [
        curlLine(call("POST", "faults", { fault: fault.fault, ...own, ...rule })),
        `local.inject(${[pythonCall(fault.fault, [], own), ...pythonArguments(rule)].join(", ")})`,
        curlLine(call("DELETE", `faults/${fault.id}`)),
      ];
      commands.forEach((command, index) => command.set(lines[index]));
    };
    return { content: [members, ...commands.map(({ element }) => element)], fill };
  },
});

/** Split a fault in force into what happens and which requests it happens to. */
function splitFault({ id, fired, left, fault, ...members }) {
  const known = Object.entries(members).filter(([, value]) => !isMissing(value));
  const isRule = ([name]) => faultForm.ruleNames.has(name);
  return {
    own: Object.fromEntries(known.filter((member) => !isRule(member))),
    rule: Object.fromEntries(known.filter(isRule)),
  };
}

const written = (members) =>
  Object.entries(members)
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");

const drawFaults = drawnSoon(() => {
  faultRows.draw(state.faults);
  setText(byId("faults-count"), String(state.faults.length));
  byId("faults-empty").hidden = state.faults.length > 0;
});

function faultsChanged({ faults }) {
  state.faults = faults;
  drawFaults();
}

// Forms, made of the schemas of the OpenAPI document: what the endpoint learns, the page offers.

let fieldCount = 0;

/** Make the field of a member; `read` returns its value, undefined for none. */
function makeField(name, schema, isRequired) {
  fieldCount += 1;
  const id = `field-${fieldCount}`;
  const types = [schema.type ?? "object"].flat();
  const { description, examples } = schema;
  const control = makeControl(schema, types, {
    id,
    name,
    required: isRequired,
    list: examples ? `${id}-examples` : null,
    "aria-describedby": description ? `${id}-hint` : null,
  });
  const element = make(
    "div",
    { class: "field" },
    make("label", { for: id }, isRequired ? `${name} (required)` : name),
    control,
    examples ? make("datalist", { id: `${id}-examples` }, ...makeOptions(examples)) : null,
    description ? make("span", { class: "hint", id: `${id}-hint` }, plain(description)) : null,
  );
  return { name, element, read: () => readValue(control, types) };
}

function makeControl(schema, types, attributes) {
  const choices = schema.enum ?? (types.includes("boolean") ? ["true", "false"] : null);
  if (choices) {
    const select = make(
      "select",
      attributes,
      ...makeOptions(attributes.required ? choices : ["", ...choices]),
    );
    select.value = schema.default ?? select.value;
    return select;
  }
  if (types.includes("object") || types.includes("array")) {
    return make("textarea", { ...attributes, placeholder: "JSON", spellcheck: "false" });
  }
  if (!types.includes("number") && !types.includes("integer")) {
    return make("input", { ...attributes, autocomplete: "off" });
  }
  const step = types.includes("integer") ? "1" : "any";
  return make("input", { ...attributes, type: "number", step, min: schema.minimum, max: schema.maximum });
}

const makeOptions = (values) => values.map((value) => make("option", { value }, value));

// Descriptions mark names as Markdown does.
const plain = (description) => description.replaceAll("`", "");

function readValue(control, types) {
  const { value } = control;
  control.setCustomValidity("");
  if (value === "") return undefined;
  if (types.includes("number") || types.includes("integer")) return Number(value);
  if (types.includes("boolean")) return value === "true";
  if (!types.includes("object") && !types.includes("array")) return value;
  try {
    return JSON.parse(value);
  } catch {
    control.setCustomValidity('This must be JSON, such as {"name": "value"}.');
    return undefined;
  }
}

const readFields = (fields) =>
  Object.fromEntries(
    fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined),
  );

/** Make a form's last lines and behaviour: the call that it makes of its fields is sent or shown. */
function finishForm(form, opener, label, toCall) {
  const command = makeCommand("As a curl line");
  const refresh = () => command.set(curlLine(toCall()));
  form.append(
    make(
      "div",
      { class: "form-actions" },
      make("button", { class: "primary" }, label),
      makeButton("Close", () => openForm(form, opener, false)),
    ),
    command.element,
  );
  form.addEventListener("input", refresh);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await act(toCall(), "Added.");
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") openForm(form, opener, false);
  });
  opener.addEventListener("click", () => openForm(form, opener, form.hidden));
  refresh();
}

function openForm(form, opener, isOpen) {
  form.hidden = !isOpen;
  opener.setAttribute("aria-expanded", String(isOpen));
  (isOpen ? form.querySelector("input, select") : opener).focus();
}

const FIRST_SESSION_FIELDS = ["studioId", "sessionId", "state", "ownedBy"];

function makeSessionForm({ NewSession: schema }) {
  const fields = Object.entries(schema.properties).map(([name, member]) =>
    makeField(name, member, schema.required.includes(name)),
  );
  const first = FIRST_SESSION_FIELDS.map((name) => fields.find((field) => field.name === name));
  const others = fields.filter((field) => !first.includes(field));
  const form = byId("session-form");
  form.append(
    make("div", { class: "fields" }, ...first.map(({ element }) => element)),
    make(
      "details",
      {},
      make("summary", {}, "Further members"),
      make("div", { class: "fields" }, ...others.map(({ element }) => element)),
    ),
  );
  finishForm(form, byId("session-add"), "Add session", () => call("POST", "sessions", readFields(fields)));
}

const faultForm = { ruleNames: new Set() };

function makeFaultForm(schemas) {
  const kinds = new Map(
    schemas.Fault.oneOf.map(({ $ref }) => $ref.split("/").at(-1)).map((name) => [name, schemas[name]]),
  );
  // What all kinds have says which requests a fault happens to; the rest is a kind's own.
  const all = [...kinds.values()].map(({ properties }) => properties);
  const shared = Object.keys(all[0]).filter(
    (name) => name !== "fault" && all.every((properties) => name in properties),
  );
  faultForm.ruleNames = new Set(shared);

  const kind = make(
    "select",
    { id: "fault-kind", "aria-describedby": "fault-description" },
    ...makeOptions([...kinds.keys()]),
  );
  const description = make("p", { class: "hint", id: "fault-description" });
  const own = make("div", { class: "fields" });
  const ruleFields = shared.map((name) => makeField(name, all[0][name], false));
  let ownFields = [];
  const form = byId("fault-form");
  form.append(
    make("div", { class: "field" }, make("label", { for: "fault-kind" }, "What happens"), kind, description),
    own,
    make(
      "fieldset",
      { class: "fields" },
      make("legend", {}, "To which requests"),
      ...ruleFields.map(({ element }) => element),
    ),
  );
  const choose = () => {
    const schema = kinds.get(kind.value);
    setText(description, plain(schema.description ?? ""));
    ownFields = Object.entries(schema.properties)
      .filter(([name]) => name !== "fault" && !faultForm.ruleNames.has(name))
      .map(([name, member]) => makeField(name, member, schema.required.includes(name)));
    own.replaceChildren(...ownFields.map(({ element }) => element));
  };
  kind.addEventListener("input", choose);
  choose();
  finishForm(form, byId("fault-add"), "Add fault", () =>
    call("POST", "faults", { fault: kind.value, ...readFields([...ownFields, ...ruleFields]) }),
  );
}

// The state as a whole

async function exportState() {
  const done = await act(call("GET", "state"));
  if (done === null) return;
  const url = URL.createObjectURL(
    new Blob([JSON.stringify(done.answer, null, 2)], { type: "application/json" }),
  );
  make("a", { href: url, download: "nimble-stop-state.json" }).click();
  URL.revokeObjectURL(url);
  say("The state is exported.");
}

async function importState(file) {
  let document;
  try {
    document = JSON.parse(await file.text());
  } catch {
    say(`${file.name} is not JSON.`, true);
    return;
  }
  const yes = await confirmed(
    "Import a state?",
    `Sessions, faults and the clock are replaced by those of ${file.name}.`,
    "Import",
  );
  if (yes) await act(call("PUT", "state", document), `${file.name} is imported.`);
}

async function resetState() {
  const yes = await confirmed(
    "Reset the endpoint?",
    "All sessions, faults and requests are removed, and the clock is set back.",
    "Reset",
  );
  if (yes) await act(call("DELETE", "state"), "The endpoint is reset.");
}

// The events, and reading everything

const HANDLERS = {
  sessions: sessionsChanged,
  request: requestRecorded,
  cleared: journalCleared,
  faults: faultsChanged,
  clock: setClock,
  reset: loadAll,
  resync: loadAll,
};

// While everything is read, events wait: one of them may be newer than what is read.
let waiting = null;
let isAskedAgain = false;

function handleEvent(kind, data) {
  if (waiting !== null && kind !== "reset" && kind !== "resync") waiting.push([kind, data]);
  else HANDLERS[kind](data);
}

async function loadAll() {
  if (waiting !== null) {
    isAskedAgain = true;
    return;
  }
  waiting = [];
  try {
    setClock(await send(call("GET", "clock")));
    await loadSessions();
    await loadJournal();
    faultsChanged(await send(call("GET", "faults")));
    setConnection("live");
  } catch (error) {
    say(error.message, true);
  }
  const known = new Set(state.requests.map(({ requestId }) => requestId));
  const [events, again] = [waiting, isAskedAgain];
  [waiting, isAskedAgain] = [null, false];
  for (const [kind, data] of events) {
    if (kind !== "request" || !known.has(data.requestId)) HANDLERS[kind](data);
  }
  if (again) loadAll();
}

const CONNECTION_TEXTS = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

function setConnection(name) {
  byId("connection").dataset.state = name;
  setText(byId("connection"), CONNECTION_TEXTS[name]);
}

let source = null;

async function connect() {
  source?.close();
  try {
    // An EventSource does not say why it is refused; this asks for the token, where there is one.
    await send(call("GET", "clock"));
  } catch (error) {
    setConnection("lost");
    // The form connects when it is closed.
    if (!byId("login").open) setTimeout(connect, RECONNECT_MILLISECONDS);
    return;
  }
  source = new EventSource("events");
  // Also after a connection was lost: an endpoint that was started anew numbers its events anew, so
  // what the browser resumes after may be something else.
  source.addEventListener("open", loadAll);
  source.addEventListener("error", () => {
    setConnection("lost");
    // A browser tries again by itself, unless it was answered with an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MILLISECONDS);
  });
  for (const kind of Object.keys(HANDLERS)) {
    source.addEventListener(kind, (event) => handleEvent(kind, JSON.parse(event.data)));
  }
}

// Start

function listen() {
  const on = (id, kind, action) => byId(id).addEventListener(kind, action);
  on("sessions-filter", "input", drawSessions);
  on("sessions-more", "click", () => {
    state.sessionsShown += SESSIONS_SHOWN;
    drawSessions();
  });
  on("journal-filter", "input", drawJournal);
  on("journal-outcome", "change", drawJournal);
  on("journal-pause", "click", pauseJournal);
  on("journal-clear", "click", () => act(call("DELETE", "requests"), "The journal is cleared."));
  on("faults-clear", "click", () => act(call("DELETE", "faults"), "All faults are removed."));
  on("advance-form", "submit", async (event) => {
    event.preventDefault();
    const seconds = Number(byId("advance-seconds").value);
    await act(call("POST", "clock", { advance: seconds }), `The clock is advanced by ${duration(seconds)}.`);
  });
  on("export", "click", exportState);
  on("import", "click", () => byId("import-file").click());
  on("import-file", "change", async ({ target }) => {
    const [file] = target.files;
    // So that the same file can be chosen again.
    await importState(file);
    target.value = "";
  });
  on("reset", "click", resetState);
  on("login-form", "submit", logIn);
  on("login", "close", connect);
  on("message-close", "click", closeMessage);
  setInterval(drawTime, 1000);
}

async function start() {
  byId("endpoint-url").textContent = location.origin;
  listen();
  const [document, health] = await Promise.all([
    send(call("GET", "openapi.json")),
    send(call("GET", "health")),
  ]);
  setText(byId("version"), `nimble-stop ${health.version}`);
  makeSessionForm(document.components.schemas);
  makeFaultForm(document.components.schemas);
  connect();
}

start().catch((error) => {
  setConnection("lost");
  say(error.message, true);
});
