// A filter above the claims, by verdict, by notebook and by words. Without it the page is whole.
"use strict";

(() => {
  const pattern = /^(reproduced|partly|not reproduced|not run): /;
  const claims = [...document.querySelectorAll("article section")].flatMap((section) => {
    const heading = section.querySelector(":scope > h3");
    const match = heading && pattern.exec(heading.textContent);
    if (!match) return [];
    const link = section.querySelector('a[href*="notebooks/"]');
    const notebook = link ? link.href.replace(/.*notebooks\/(.*)\.html.*/, "$1") : "";
    heading.classList.add("verdict", match[1].replace(" ", "-"));
    return [{ section, word: match[1], notebook, text: section.textContent.toLowerCase() }];
  });
  if (!claims.length) return;

  const chosen = new Set();
  const bar = document.createElement("div");
  bar.className = "verdict-filter";
  bar.setAttribute("role", "search");
  bar.setAttribute("aria-label", "Filter of the claims");

  for (const word of ["reproduced", "partly", "not reproduced", "not run"]) {
    const count = claims.filter((claim) => claim.word === word).length;
    if (!count) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${word} (${count})`;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      chosen[chosen.has(word) ? "delete" : "add"](word);
      button.setAttribute("aria-pressed", String(chosen.has(word)));
      show();
    });
    bar.append(button);
  }

  const notebooks = document.createElement("select");
  notebooks.setAttribute("aria-label", "Notebook");
  notebooks.append(new Option("all notebooks", ""));
  for (const name of [...new Set(claims.map((claim) => claim.notebook))].filter(Boolean).sort()) {
    notebooks.append(new Option(name.replaceAll("_", " "), name));
  }
  notebooks.addEventListener("change", show);

  const words = document.createElement("input");
  words.type = "search";
  words.placeholder = "words in a claim";
  words.setAttribute("aria-label", "Words in a claim");
  words.addEventListener("input", show);

  const shown = document.createElement("output");
  bar.append(notebooks, words, shown);

  function show() {
    const wanted = words.value.trim().toLowerCase();
    let count = 0;
    for (const claim of claims) {
      const fits =
        (!chosen.size || chosen.has(claim.word)) &&
        (!notebooks.value || claim.notebook === notebooks.value) &&
        claim.text.includes(wanted);
      claim.section.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${claims.length} claims`;
  }

  // A link to a claim must find it, whatever is filtered.
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const hidden = target && target.closest("section[hidden]");
    if (hidden) {
      hidden.hidden = false;
      target.scrollIntoView();
    }
  });

  claims[0].section.parentElement.before(bar);
  show();
})();
