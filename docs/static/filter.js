// The filter box of the page of errors: it hides the errors that do not match.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("filter");
  if (!box) return;
  const count = document.getElementById("filter-count");
  const plain = (text) =>
    text.replace(/[¶`]/g, "").replace(/\s+/g, " ").trim().toLowerCase();
  const entries = [...document.querySelectorAll("article section section section")].map(
    (section) => ({
      section,
      text: plain(section.textContent),
      // The fixed parts of the error: names, numbers and addresses are between them.
      parts: plain(section.querySelector("h3").textContent)
        .replace(/\.$/, "")
        .split("…")
        .map((part) => part.trim())
        .filter(Boolean),
    }),
  );
  const groups = document.querySelectorAll("article section section:has(> section)");

  // Whether a whole error was pasted, with its names and numbers.
  const isPasted = ({ parts }, query) => {
    if (parts.join("").length < 8) return false;
    let from = 0;
    return parts.every((part) => {
      const found = query.indexOf(part, from);
      from = found + part.length;
      return found >= 0;
    });
  };

  const filter = () => {
    const query = plain(box.value);
    const words = query.split(" ");
    let shown = 0;
    for (const entry of entries) {
      const fits = isPasted(entry, query) || words.every((word) => entry.text.includes(word));
      entry.section.hidden = !fits;
      shown += fits;
    }
    for (const group of groups) {
      group.hidden = !group.querySelector(":scope > section:not([hidden])");
    }
    count.textContent = query ? `${shown} of ${entries.length} errors` : "";
  };
  box.addEventListener("input", filter);
  // A link to an error shows it, whatever the box holds.
  window.addEventListener("hashchange", () => {
    box.value = "";
    filter();
  });
  filter();
});
