// What is asked of the server, and its errors in plain words.

const PREDICT = new URL("../v1/models/cuvee:predict", document.baseURI);

// key: of the words to say; values: what they are filled with
export class ServerError extends Error {
  constructor(key, values) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

export async function about() {
  return json(await reach("about"));
}

// By item id: title, price, photo and the like, for at most 200 ids
export async function goodsOf(ids, signal) {
  return ids.length ? (await json(await reach("items", { item_ids: ids }, signal))).items : {};
}

// One prediction an instance
export async function predictions(instances, signal) {
  return (await json(await reach(PREDICT, { instances }, signal))).predictions;
}

async function reach(address, body, signal) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
  try {
    return await fetch(address, body ? post : { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("silent", {});
  }
}

async function json(response) {
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const own = String(answer.error ?? response.status).replace(/^instances\[\d+\]: /, "");
  if (response.status < 500) throw new ServerError("refused", { words: own });
  throw new ServerError("broken", { id: answer.id ?? response.status });
}
