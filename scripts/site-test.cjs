// Called by scripts/site-test with the folder of the pages; ends with 1 and a list when something is wrong.
"use strict";
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const folder = path.resolve(process.argv[2]);
const wrong = [];
const expect = (holds, claim) => { if (!holds) wrong.push(claim); };
const shown = (page) => page.locator("#runtimes tbody tr:visible").count();

async function look(browser, file, colorScheme, width) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const where = `${file}, ${colorScheme}, ${width} wide`;
  page.on("console", (message) => expect(message.type() !== "error", `${where}: console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`${where}: ${error}`));
  page.on("request", (request) => expect(/^(file|data):/.test(request.url()), `${where}: asks for ${request.url()}`));
  await page.goto("file://" + path.join(folder, file));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run({ preload: false }));
  for (const { id, nodes } of violations) wrong.push(`${where}: ${id}: ${nodes[0].html.slice(0, 120)}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow <= 0, `${where}: ${overflow} pixels stick out`);
  await context.close();
}

async function filter(browser) {
  const page = await browser.newPage();
  await page.goto("file://" + path.join(folder, "index.html"));
  const all = await shown(page);
  expect(all > 0, "no runtime is listed");
  await page.keyboard.press("/");
  await page.keyboard.type("no such package");
  expect((await shown(page)) === 0, "a search for nothing finds something");
  expect(await page.locator(".none").isVisible(), "it is not said that nothing fits");
  await page.keyboard.press("Escape");
  expect((await shown(page)) === all, "Escape does not show everything again");
  const name = (await page.locator("#runtimes tbody th a").first().textContent()).trim();
  await page.keyboard.type(name);
  expect((await shown(page)) >= 1, `a search for ${name} does not find it`);
  await page.keyboard.press("Tab");
  expect((await page.evaluate(() => document.activeElement.id)) === "platform", "Tab does not reach the platform");
  await page.close();
}

// What a page says must not become a script, even if it got into the page as one.
async function policy(browser) {
  const page = await browser.newPage();
  await page.goto("file://" + path.join(folder, "index.html"));
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.foreign = true";
    document.head.append(script);
    document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.foreign = true'>");
    return new Promise((done) => setTimeout(() => done(Boolean(window.foreign)), 200));
  });
  expect(!ran, "the pages' policy lets a script inside the page run");
  await page.close();
}

async function withoutScript(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto("file://" + path.join(folder, "index.html"));
  expect((await shown(page)) > 0, "without the script no runtime is shown");
  expect(!(await page.locator(".controls").isVisible()), "without the script the search is shown");
  await context.close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-quic"] });
  const files = ["index.html"];
  for (const name of fs.readdirSync(folder)) {
    if (fs.existsSync(path.join(folder, name, "index.html"))) files.push(name + "/index.html");
  }
  expect(files.length > 1, "there is no page of a runtime");
  for (const file of files) {
    for (const scheme of ["light", "dark"]) for (const width of [1280, 390]) await look(browser, file, scheme, width);
  }
  await filter(browser);
  await policy(browser);
  await withoutScript(browser);
  await browser.close();
  for (const claim of wrong) console.error("error: " + claim);
  console.log(`site: ${files.length} pages looked at, ${wrong.length} faults`);
  process.exit(wrong.length ? 1 : 0);
})();
