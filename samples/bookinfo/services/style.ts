/** The page's whole style. It follows the reader's choice of light or dark. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2733; --soft: #566373; --paper: #f6f7f9; --card: #fff; --line: #d9dee5; --accent: #0b5c8a; --red: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #a3afbd; --paper: #12171d; --card: #1b222b; --line: #333d49; --accent: #7cc4ee; --red: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; justify-content: space-between; padding: .75rem clamp(1rem, 5vw, 4rem); background: var(--card); border-bottom: 1px solid var(--line); }
.brand { margin: 0; font-weight: 700; color: var(--accent); }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
input, button { font: inherit; padding: .3rem .7rem; border: 1px solid var(--soft); border-radius: .35rem; background: var(--card); color: inherit; }
input { width: 10rem; }
button { cursor: pointer; border-color: var(--accent); color: var(--accent); font-weight: 600; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem clamp(1rem, 5vw, 2rem) 4rem; }
h1 { margin: 0 0 .5rem; font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.2; }
h2 { margin: 0 0 .8rem; font-size: 1.15rem; }
.lead { max-width: 46rem; margin: 0 0 1.75rem; color: var(--soft); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1.25rem; align-items: start; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.25rem 1.4rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }
blockquote { margin: 0 0 1.1rem; padding: 0; }
blockquote p { margin: 0 0 .25rem; }
footer { color: var(--soft); font-size: .95rem; }
.stars { margin-left: .4rem; color: var(--ink); letter-spacing: .1em; font-size: 1.1rem; }
.red { color: var(--red); }
.missing { color: var(--red); }
.served { margin: 0; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9rem; }
.version { font-weight: 700; color: var(--accent); }
code { font-size: .9em; overflow-wrap: anywhere; }
`
