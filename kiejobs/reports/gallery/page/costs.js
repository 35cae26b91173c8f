// What was charged, what is held, what the plan would add: by job, tag and model.

const PARTS = [["charged", "Charged"], ["held", "Held by open jobs and doubts"], ["to_buy", "A run would add"]];

function showCosts() {
  const { costs, usd_per_credit: perCredit } = model.data;
  const most = Math.max(...Object.values(costs).flat().map(total));
  const kinds = Object.entries(costs).filter(([, rows]) => rows.length);
  if (!kinds.length) return sheet("Costs", [h("p", {}, "Nothing was bought, and the plan buys nothing.")], [done()]);
  const body = [
    h("p", { class: "legend" }, PARTS.map(([key, name]) => h("span", { class: `key ${key}` }, name))),
    ...kinds.map(([kind, rows]) => chart(kind, rows, perCredit, most)),
    h("p", { class: "dim" }, "Charged counts every purchase of the campaign, replaced ones too. A job with several tags counts for each."),
  ];
  return sheet("Costs", body, [done()]);
}

const done = () => button("Close", "Esc", () => $("sheet").close());

const total = (row) => PARTS.reduce((sum, [key]) => sum + Number(row[key]), 0);

/** `most` is the largest amount of all charts: bars of one can be compared with those of another. */
function chart(kind, rows, perCredit, most) {
  const ordered = rows.slice().sort((a, b) => total(b) - total(a));
  return h("section", { class: "chart" }, h("h3", {}, `By ${kind}`),
    h("table", {}, h("thead", { class: "unseen" }, h("tr", {}, [kind, "Chart", ...PARTS.map(([, name]) => name)].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ordered.map((row) => h("tr", {},
        h("th", { scope: "row" }, row.name),
        h("td", { class: "bars" }, h("div", { class: "track" }, PARTS.map(([key]) => bar(key, Number(row[key]) / (most || 1))))),
        PARTS.map(([key, name]) => h("td", { class: `amount ${Number(row[key]) ? "" : "zero"}`, title: name }, Number(row[key]) ? money(row[key], perCredit) : "–")))))));
}

function bar(key, share) {
  const made = h("span", { class: `part ${key}` });
  made.style.inlineSize = `${share * 100}%`;
  return made;
}
