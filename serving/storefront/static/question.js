// The question: what the address says, what the form says, and the instance that the server is asked.

export const MAX_K = 200;
const FILTERS = ["category", "brand", "low", "high"];
const TEXTS = ["query", "user_id", "campaign_id", "item_id", "item_ids", "new_only", ...FILTERS];
// needs: one of these; fields: what else it takes
const SCENARIOS = {
  recommend: { needs: [], fields: ["user_id", "new_only"] },
  search: { needs: ["query", "image"], fields: ["user_id"] },
  similar: { needs: ["item_id", "image"], fields: [] },
  bundle: { needs: ["item_ids"], fields: [] },
  campaign: { needs: ["user_id", "campaign_id"], fields: ["new_only"] },
  ads: { needs: ["user_id", "query"], fields: ["new_only"] },
};

export function fieldsOf(scenario) {
  return [...SCENARIOS[scenario].needs, ...SCENARIOS[scenario].fields];
}

export function known(scenario) {
  return Object.hasOwn(SCENARIOS, scenario);
}

// The question that an address asks; null where it asks none.
export function fromAddress(search) {
  const given = new URLSearchParams(search);
  const question = { scenario: given.get("scenario") ?? "", k: given.get("k") ?? "12", available: given.has("available"), weights: {} };
  for (const name of TEXTS) question[name] = given.get(name) ?? "";
  for (const [name, value] of given) {
    if (name.startsWith("w.") && Number.isFinite(Number(value))) question.weights[name.slice(2)] = Number(value);
  }
  return question;
}

// The address that asks *question*; a picture cannot be part of it.
export function toAddress(question, language) {
  const found = new URLSearchParams({ scenario: question.scenario });
  const sent = [...fieldsOf(question.scenario).filter((name) => name !== "image"), ...FILTERS, "k"];
  for (const name of sent) if (question[name] !== "") found.set(name, question[name]);
  if (question.available) found.set("available", "true");
  for (const [name, value] of Object.entries(question.weights)) if (value !== 1) found.set(`w.${name}`, value);
  found.set("lang", language);
  return `?${found}`;
}

function used(question, name) {
  return fieldsOf(question.scenario).includes(name);
}

// What is missing or wrong: [key of the words, field, another field that would do]; null where the question can be asked.
export function problem(question, picture) {
  const { needs } = SCENARIOS[question.scenario];
  const given = needs.some((name) => (name === "image" ? picture : question[name].trim()));
  if (needs.length && !given) return [needs.includes("image") ? "need_picture" : needs.length > 1 ? "need_either" : "need", ...needs];
  const k = Number(question.k);
  if (!Number.isInteger(k) || k < 1 || k > MAX_K) return ["need_k", "k"];
  if (question.low !== "" && question.high !== "" && Number(question.low) > Number(question.high)) return ["need_range", "low"];
  return null;
}

// The instance as the server reads it.
export function instanceOf(question, picture) {
  const asked = { scenario: question.scenario, k: Number(question.k), explain: true };
  for (const name of ["query", "user_id", "campaign_id", "item_id"]) {
    if (used(question, name) && question[name].trim()) asked[name] = question[name].trim();
  }
  if (used(question, "item_ids")) asked.item_ids = listed(question.item_ids);
  if (used(question, "new_only") && question.new_only) asked.context = { new_only: question.new_only === "true" };
  if (used(question, "image") && picture) asked.image_b64 = picture.base64;
  const filters = filtersOf(question);
  if (Object.keys(filters).length) asked.filters = filters;
  return asked;
}

export function weightsOf(question) {
  return Object.fromEntries(Object.entries(question.weights).filter(([, value]) => value !== 1));
}

export function listed(text) {
  return text.split(/[,，\s]+/).filter(Boolean);
}

function filtersOf(question) {
  const filters = {};
  for (const name of ["category", "brand"]) if (question[name].trim()) filters[name] = question[name].trim();
  if (question.low !== "" || question.high !== "") {
    filters.price = [question.low === "" ? 0 : Number(question.low), question.high === "" ? 1e9 : Number(question.high)];
  }
  if (question.available) filters.available = true;
  return filters;
}
