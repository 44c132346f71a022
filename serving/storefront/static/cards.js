// The products as cards, and for each why it is where it is. Text only ever enters as text.

import { say } from "./words.js";

const SMALL = 0.0005; // what is below reads 0.000

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// One <li>. shown: {item, goods, before, moved, largest, language, currency, open, address}
export function card(shown) {
  const { item, goods, language } = shown;
  const title = goods.title ?? item.item_id;
  const parts = [
    element("div", { className: "picture" }, goods.photo ? photo(goods.photo) : drawing(title, goods.category ?? "")),
    element("div", { className: "words" },
      element("h3", {}, element("span", { className: "place" }, `${item.position}`), " ", title),
      element("p", { className: "meta" }, [goods.brand, goods.category].filter(Boolean).join(" · ")),
      element("p", { className: "price" }, money(goods.price, shown)),
      labels(shown)),
    whyOf(shown, title),
    links(shown, title),
  ];
  return element("li", { className: "product", "data-id": item.item_id }, ...parts);
}

// A user whom a campaign is to be sent to; the id is a pseudonym, so nothing can be asked of it
export function userCard(user, language) {
  return element("li", { className: "product" },
    element("div", { className: "picture" }, drawing(user.user_id, user.user_id)),
    element("div", { className: "words" },
      element("h3", {}, element("span", { className: "place" }, `${user.position}`), " ", say(language, "user", { id: user.user_id })),
      element("p", { className: "meta" }, say(language, "score", { score: user.score.toFixed(3) }))));
}

function photo(address) {
  return element("img", { src: address, alt: "", loading: "lazy", decoding: "async", width: 96, height: 96 });
}

// Where there is no photo: the first letters of the title on a colour of its category
function drawing(title, category) {
  const svg = (name, given) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
    return made;
  };
  let hue = 0;
  for (const letter of category || title) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  const words = title.match(/[\p{L}\p{N}]+/gu) ?? [];
  const initials = words.slice(0, 2).map((word) => [...word][0]).join("");
  const drawn = svg("svg", { viewBox: "0 0 96 96", "aria-hidden": "true", class: "drawing" });
  const text = svg("text", { x: 48, y: 60, "text-anchor": "middle", "font-size": 34, fill: "#1c1c1c" });
  text.textContent = initials;
  drawn.append(svg("rect", { width: 96, height: 96, fill: `hsl(${hue} 45% 82%)` }), text);
  return drawn;
}

function money(price, { language, currency }) {
  if (typeof price !== "number") return say(language, "no_price");
  try {
    return new Intl.NumberFormat(language, { style: "currency", currency }).format(price);
  } catch {
    return price.toFixed(2); // a shop's currency may be no ISO code
  }
}

function labels({ item, goods, before, moved, language }) {
  const found = [];
  const add = (kind, text) => found.push(element("span", { className: `label ${kind}` }, text));
  if (item.ad) add("ad", [say(language, "ad"), item.ad.campaign_id].filter(Boolean).join(": "));
  const campaigns = item.campaign_ids ?? (item.campaign_id ? [item.campaign_id] : []);
  for (const campaign of campaigns) add("campaign", `${say(language, "campaign_label")}: ${campaign}`);
  if (goods.available === false) add("gone", say(language, "sold_out"));
  if (typeof goods.sentiment === "number" && goods.reviews > 0) {
    add("reviews", say(language, "reviews", { score: (1 + 4 * goods.sentiment).toFixed(1), n: goods.reviews }));
  }
  if (moved) add("moved", movement(item.position, before, language));
  return found.length ? element("p", { className: "labels" }, ...found) : null;
}

function movement(position, before, language) {
  if (before === undefined) return say(language, "beyond");
  if (before === position) return say(language, "same");
  const key = before > position ? "up" : "down";
  const arrow = key === "up" ? "▲" : "▼";
  return `${arrow} ${say(language, key, { n: Math.abs(before - position) })}, ${say(language, "was", { n: before })}`;
}

// A bar for each member and rule; their numbers sum to the score
function whyOf({ item, language, largest, open }, title) {
  if (!item.why) return null;
  const parts = Object.entries(item.why).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const body = element("tbody", {}, ...parts.map(([name, value]) => row(name, value, largest, language)));
  const head = element("thead", {}, element("tr", {},
    element("th", { scope: "col" }, say(language, "part")),
    element("td", {}),
    element("th", { scope: "col" }, say(language, "says"))));
  const foot = element("tfoot", {}, element("tr", {},
    element("th", { scope: "row" }, say(language, "sum")), element("td", {}),
    element("td", { className: "number" }, signed(item.score))));
  const caption = element("caption", {}, say(language, "why_of", { title }));
  return element("details", { className: "why", open },
    element("summary", {}, say(language, "why", { score: item.score.toFixed(3) })),
    element("table", {}, caption, head, body, foot));
}

function row(name, value, largest, language) {
  const bar = element("span", { className: value < 0 ? "bar against" : "bar for" });
  bar.style.setProperty("--size", `${(50 * Math.abs(value)) / largest}%`);
  const said = value === 0 ? say(language, "placed") : signed(value);
  return element("tr", { "data-part": name },
    element("th", { scope: "row" }, nameOf(name, language)),
    element("td", { className: "track" }, bar),
    element("td", { className: "number" }, said));
}

function nameOf(name, language) {
  if (name.startsWith("rule:")) return say(language, "rule", { name: name.slice(5) });
  return { context: say(language, "context"), ad: say(language, "ad_worth") }[name] ?? name;
}

function signed(value) {
  const text = Math.abs(value) < SMALL ? "0.000" : Math.abs(value).toFixed(3);
  return value < 0 && text !== "0.000" ? `−${text}` : text;
}

function links({ item, language, address }, title) {
  const link = (verb, scenario) => {
    const words = say(language, verb);
    return element("a", { href: address(scenario, item.item_id), "aria-label": say(language, "of", { verb: words, title }), "data-go": scenario }, words);
  };
  return element("p", { className: "go" }, link("like_this", "similar"), " ", link("with_this", "bundle"));
}
