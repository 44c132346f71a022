// What is said of an answer, and the answer itself.

import { card, element, userCard } from "./cards.js";
import { fieldsOf, fromAddress, listed, toAddress } from "./question.js";
import { at, state, words } from "./state.js";

export function tell(key, values = {}) {
  state.status = [key, values];
  const { found, question } = values;
  at("status").textContent = words(key, { ...values, found: found && words(...found), question: question && asked(question) });
}

export function complain(key, values = {}, field = null, other = null) {
  const label = (id) => document.querySelector(`label[for="${id}"]`)?.textContent;
  at("error").textContent = words(key, { ...values, field: label(field), other: label(other) });
  at("error").hidden = false;
  if (field) {
    at(field).setAttribute("aria-invalid", "true");
    at(field).focus();
  }
}

export function calm() {
  at("error").hidden = true;
  for (const field of document.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

export function clear() {
  state.shown = state.status = null;
  for (const id of ["products", "notes", "status", "facts"]) at(id).replaceChildren();
  at("notes").hidden = at("reasons").hidden = true;
}

function asked({ question, picture }) {
  const named = fieldsOf(question.scenario).filter((name) => name !== "new_only").map((name) => question[name]?.trim()).find(Boolean);
  const said = named ?? words(picture ? "the_picture" : "anybody");
  return `${words(question.scenario)} “${said}”`;
}

export function drawAnswer() {
  const { answer, goods, before, moved } = state.shown;
  const { language } = state;
  const parts = answer.items.flatMap((item) => Object.values(item.why ?? {}).map(Math.abs));
  const largest = Math.max(...parts, 1e-9);
  const open = at("reasons").getAttribute("aria-pressed") === "true";
  const cards = answer.items.map((item) => card({
    item, goods: goods[item.item_id] ?? {}, before: before[item.item_id], moved, largest, language, open,
    currency: state.shop.currency, address,
  }));
  const users = answer.users ?? [];
  at("products").replaceChildren(...cards, ...users.map((user) => userCard(user, language)));
  at("reasons").hidden = !answer.items.length;
  const told = (names) => names.map((name) => words(`lost_${name}`)).join(", ");
  const notes = [];
  if (!answer.items.length && !users.length) notes.push(words("nothing"));
  if (answer.relaxed?.length) notes.push(words("relaxed", { what: told(answer.relaxed) }));
  if (answer.degraded?.length) notes.push(words("degraded", { what: told(answer.degraded) }));
  at("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  at("notes").hidden = !notes.length;
  at("facts").textContent = words("facts", { method: answer.method, release: answer.release.slice(0, 12), as_of: answer.as_of.slice(0, 10) });
}

// The link of a product to *scenario*: it alone, or with what is in the basket already
function address(scenario, id) {
  const basket = state.question.scenario === "bundle" ? listed(state.question.item_ids) : [];
  const item_ids = [...basket.filter((other) => other !== id), id].slice(-50).join(",");
  return toAddress({ ...fromAddress(""), k: state.question.k, scenario, item_id: id, item_ids }, state.language);
}
