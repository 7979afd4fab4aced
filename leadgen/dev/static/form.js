// Sends the form as JSON, shows errors beside their fields, and follows the submission until it is a lead.

const POLL_MS = 100;
const POLL_FOR_MS = 60_000;
const TRIES = 4;
const CHANNELS = { call: "phone", text: "sms", email: "email" }; // of a consent, by the way to answer

const form = document.querySelector("form");
const consent = document.getElementById("consent");
const problemBox = document.getElementById("problem");
const submitButton = form.querySelector("[type=submit]");
const fields = [...form.querySelectorAll("[name]")];
const progress = document.getElementById("progress");
const reply = form.elements["/contact/preferred_contact_method"];
let decidedAt = null;

// An untouched box is a decision, too; kept over a reload, so that the same text stays the same submission.
const openedAt = (sessionStorage.openedAt ??= new Date().toISOString());

// The key belongs to the text: the same text sent again is the same submission, even after lost responses or a
// reload. After a 202 the next submission gets a new key.
const attempt = {
  keyFor(body) {
    const [earlier, key] = JSON.parse(sessionStorage.getItem("attempt") ?? "[]");
    if (earlier === body) return key;
    const fresh = crypto.randomUUID();
    sessionStorage.setItem("attempt", JSON.stringify([body, fresh]));
    return fresh;
  },
  forget: () => sessionStorage.removeItem("attempt"),
};

reply.addEventListener("change", markOptional);
markOptional();
consent.addEventListener("change", () => { decidedAt = new Date().toISOString(); });
document.getElementById("example").addEventListener("click", fillInExample);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  progress.hidden = true; // an earlier success is not this one's
  submitButton.disabled = true;
  try {
    await send(JSON.stringify(await submission()));
  } catch {
    showProblem("The server cannot be reached", "Nothing is lost: send it again, and it still counts as one submission.");
  } finally {
    submitButton.disabled = false;
  }
});

async function submission() {
  const document_ = {};
  for (const field of fields) {
    const value = field.value.trim();
    if (value) put(document_, field.name, field.type === "number" ? Number(value) : value);
  }
  document_.context = { lead_source: "dev form", page_url: location.href, intake_type: "contact" };
  if (document.referrer) document_.context.referrer_url = document.referrer;
  document_.consent = [await evidence()];
  return document_;
}

// What the chosen way of replying needs is not optional.
function markOptional() {
  const needed = reply.value === "email" ? "/contact/email" : "/contact/phone";
  for (const name of ["/contact/email", "/contact/phone"]) {
    form.elements[name].labels[0].querySelector(".optional").hidden = name === needed;
  }
}

function put(target, pointer, value) {
  const steps = pointer.split("/").slice(1);
  const last = steps.pop();
  for (const step of steps) target = target[step] ??= {};
  target[last] = value;
}

async function evidence() {
  const text = consent.parentElement.textContent.trim();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return {
    channel: CHANNELS[form.elements["/contact/preferred_contact_method"].value],
    granted: consent.checked,
    text_version: consent.dataset.version,
    text_sha256: [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    at: decidedAt ?? openedAt,
    page_url: location.href,
  };
}

async function send(body) {
  const headers = {
    "X-API-Key": form.dataset.key,
    "Content-Type": "application/json",
    "Prefer": "handling=strict",
    "Idempotency-Key": attempt.keyFor(body),
  };
  const began = performance.now();
  const response = await persist(() => fetch(form.dataset.endpoint, { method: "POST", headers, body }));
  if (response.status !== 202) return refuse(await response.json());
  attempt.forget();
  const accepted = await response.json();
  showQueued(accepted, performance.now() - began);
  await follow(response.headers.get("Location"), began);
}

// Retry a response with Retry-After, and a lost one, which may have been a 202.
async function persist(ask) {
  for (let tries = 1; ; tries++) {
    const response = await ask().catch((error) => { if (tries === TRIES) throw error; });
    if (response && (tries === TRIES || !response.headers.has("Retry-After"))) return response;
    await sleep(1000 * Number(response?.headers.get("Retry-After") ?? 1));
  }
}

async function follow(location_, began) {
  const headers = { "Authorization": `Bearer ${form.dataset.key}` };
  while (performance.now() - began < POLL_FOR_MS) {
    const response = await fetch(location_, { headers }).catch(() => null);
    const { status } = response?.ok ? await response.json() : {};
    if (status === "done" || status === "dead") return showEnd(status, performance.now() - began);
    await sleep(POLL_MS);
  }
  showEnd("waiting", performance.now() - began);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function refuse(problem) {
  const homeless = (problem.errors ?? []).filter((error) => !showError(error.pointer, error.detail));
  const invalid = fields.find((field) => field.getAttribute("aria-invalid"));
  if (!invalid || homeless.length) {
    showProblem(problem.title, homeless.map((error) => error.detail).join(" ") || problem.detail, problem.type);
  }
  invalid?.focus();
}

function showError(pointer, detail) {
  const field = form.elements[pointer];
  if (!field) return false;
  const place = document.getElementById(field.getAttribute("aria-describedby"));
  field.setAttribute("aria-invalid", "true");
  place.textContent = detail;
  place.hidden = false;
  return true;
}

function showProblem(title, detail, type) {
  const heading = document.createElement(type ? "a" : "strong");
  heading.textContent = title;
  if (type) heading.href = type;
  problemBox.replaceChildren(heading, ` ${detail}`);
  problemBox.hidden = false;
}

function clearErrors() {
  problemBox.hidden = true;
  for (const field of fields) field.removeAttribute("aria-invalid");
  for (const place of form.querySelectorAll(".error")) place.hidden = true;
}

function showQueued({ intake_id: intakeId, flags = [] }, ms) {
  progress.hidden = false;
  document.getElementById("intake-id").textContent = intakeId;
  const flagged = document.getElementById("flags");
  flagged.hidden = flags.length === 0;
  flagged.querySelector("span").textContent = flags.join(", ");
  setStep("queued", "reached", `committed and acknowledged after ${Math.round(ms)} ms`);
  setStep("done", "waiting", "on its way…");
  progress.scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function showEnd(status, ms) {
  const words = {
    done: ["reached", `a row in app.leads, seen after ${Math.round(ms)} ms`],
    dead: ["failed", "set aside: see `leadgen jobs list`"],
    waiting: ["waiting", "still queued; it is stored, and the sweeper will process it"],
  };
  setStep("done", ...words[status]);
}

function setStep(name, state, text) {
  const step = document.getElementById(`step-${name}`);
  step.dataset.state = state;
  step.querySelector("span").textContent = text;
}

function fillInExample() {
  clearErrors();
  const fill = (value, pointer) => {
    if (typeof value === "object") Object.entries(value).forEach(([name, inner]) => fill(inner, `${pointer}/${name}`));
    else form.elements[pointer].value = value;
  };
  fill(JSON.parse(form.dataset.example), "");
  markOptional();
}
