// Shows the OpenAPI document of the server that this page came from, and sends what is filled in.
// All text is set as text, never as HTML: names come from models of others.
"use strict";

const main = document.querySelector("main");
const credential = document.querySelector("#credential");
const secret = credential.querySelector("input");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function headers() {
  return secret.value ? { Authorization: `Bearer ${secret.value}` } : {};
}

// A path of this server, also where a proxy serves it below a path of its own.
function url(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI);
}

async function show() {
  let answer;
  try {
    answer = await fetch(url("openapi.json"), { headers: headers() });
  } catch (error) {
    main.replaceChildren(`The server does not answer: ${error.message}`);
    return;
  }
  credential.hidden = answer.status !== 401 && !secret.value;
  if (!answer.ok) {
    main.replaceChildren(answer.status === 401 ? "This server asks for a key or token." : await answer.text());
    return;
  }
  main.replaceChildren(...sections(await answer.json()));
}

function sections(api) {
  const byTag = new Map();
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const [tag] = operation.tags;
      if (!byTag.has(tag)) byTag.set(tag, [element("h2", { textContent: tag })]);
      byTag.get(tag).push(endpoint(method.toUpperCase(), path, operation));
    }
  }
  const first = ["score", "inference"].filter((tag) => byTag.has(tag));
  const tags = [...first, ...[...byTag.keys()].filter((tag) => !first.includes(tag))];
  return tags.flatMap((tag) => byTag.get(tag));
}

function endpoint(method, path, operation) {
  const summary = element("summary", {}, element("b", { textContent: method }), element("code", { textContent: path }), operation.summary);
  const details = element("details", {}, summary);
  // Of a thousand endpoints only those are built that somebody looks at.
  details.addEventListener("toggle", () => details.children.length === 1 && details.append(form(method, path, operation)));
  return details;
}

function form(method, path, operation) {
  const fields = (operation.parameters ?? []).filter((one) => one.in !== "header").map((one) => [one, field(one)]);
  const media = operation.requestBody?.content["application/json"] ?? operation.requestBody?.content["*/*"];
  const body = media && element("textarea", { rows: 8, spellcheck: false, ariaLabel: "Body", value: written(media.example ?? {}) });
  const send = element("button", { type: "button", textContent: "Send" });
  const result = element("div");
  send.addEventListener("click", async () => {
    send.disabled = true;
    result.replaceChildren(...(await sent(method, target(path, fields), body?.value)));
    send.disabled = false;
  });
  // Examples are called like the model that they are for.
  const [, model] = fields.find(([one]) => one.name === "model_name") ?? [];
  const exemplify = () => media.examples[model.value] && (body.value = written(media.examples[model.value].value));
  if (model && media?.examples) {
    model.addEventListener("change", exemplify);
    exemplify();
  }
  const labels = fields.map(([parameter, input]) => element("label", {}, `${parameter.name} `, input));
  return element("div", {}, ...labels, ...(body ? [body] : []), element("p", {}, send), result);
}

function field(parameter) {
  const values = parameter.schema.enum;
  if (!values) return element("input", { value: parameter.name === "version" ? "1" : "" });
  const options = values.map((value) => element("option", { textContent: value, value }));
  return element("select", {}, ...options);
}

function target(path, fields) {
  const query = new URLSearchParams();
  for (const [parameter, input] of fields) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(parameter.name, input.value);
  }
  return query.size ? `${path}?${query}` : path;
}

async function sent(method, path, body) {
  const started = performance.now();
  try {
    const answer = await fetch(url(path), { method, headers: headers(), ...(method === "POST" ? { body } : {}) });
    const text = await answer.text();
    const line = `${answer.status} ${answer.statusText} in ${(performance.now() - started).toFixed(1)} ms`;
    return [element("p", { textContent: line, className: answer.ok ? "good" : "bad" }), element("pre", { textContent: pretty(text) })];
  } catch (error) {
    return [element("p", { textContent: `No answer: ${error.message}`, className: "bad" })];
  }
}

function pretty(text) {
  try {
    return written(JSON.parse(text));
  } catch {
    return text;
  }
}

// As JSON with a line for each list of plain values.
function written(value) {
  const lists = /\[\n\s+([^[\]{}]*?)\n\s+\]/g;
  return JSON.stringify(value, null, 2).replace(lists, (_, values) => `[${values.replace(/\n\s+/g, " ")}]`);
}

credential.querySelector("button").addEventListener("click", show);
show();
