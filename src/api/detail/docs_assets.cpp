#include "api/detail/docs_assets.h"

namespace zona::api::detail {

const std::string_view kDocsStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6474; --line: #d9dee7; --card: #ffffff;
  --page: #f5f7fa; --code: #eef1f6; --accent: #0b62c4; --get: #1a7f4b; --post: #0b62c4; --put: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #9aa5b8; --line: #2c3442;
  --card: #171c26; --page: #0f131a; --code: #0b0f15; --accent: #6cb0ff; --get: #57c98a; --post: #6cb0ff;
  --put: #e0a345; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.frame { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 82rem; margin: 0 auto; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.2rem; border-right: 1px solid var(--line); }
nav h2 { font-size: .78rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 1.2rem 0 .3rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: .12rem 0; color: var(--ink); }
input { width: 100%; padding: .45rem .6rem; font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; }
main { padding: 1.5rem 2rem 6rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.3rem; margin: 1rem 0; }
article h3 { margin: 0 0 .2rem; font-size: 1.05rem; }
h4 { margin: 1.1rem 0 .3rem; font-size: .88rem; color: var(--soft); }
code, pre { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow: auto; margin: .3rem 0; }
.route { font-weight: 600; }
.method { font-weight: 700; }
.GET { color: var(--get); } .POST { color: var(--post); } .PUT { color: var(--put); }
.scope { float: right; font-size: .8rem; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .28rem .8rem .28rem 0; border-top: 1px solid var(--line); vertical-align: top; }
summary { cursor: pointer; color: var(--soft); }
.sample { position: relative; }
.sample button { position: absolute; right: .5rem; top: .5rem; font: inherit; font-size: .8rem; }
[hidden] { display: none; }
@media (max-width: 56rem) { .frame { grid-template-columns: minmax(0, 1fr); }
  nav { position: static; height: auto; border: 0; } main { padding: 1rem; } }
)css";

const std::string_view kDocsScript = R"js(
"use strict";
const filter = document.getElementById("filter");
filter.parentElement.hidden = false;
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const article of document.querySelectorAll("article[data-text]")) {
    const shown = words.every((word) => article.dataset.text.includes(word));
    article.hidden = !shown;
    document.querySelector(`nav a[href="#${article.id}"]`).parentElement.hidden = !shown;
  }
});
for (const block of document.querySelectorAll(".sample")) {
  const text = block.querySelector("code");
  if (location.protocol.startsWith("http"))
    text.textContent = text.textContent.replaceAll("http://127.0.0.1:8063", location.origin);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  });
  block.append(button);
}
)js";

}  // namespace zona::api::detail
