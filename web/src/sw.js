// The service worker: keeps every file of one build, so that the page opens without a network.

const CACHE = "fundus-__VERSION__";
const FILES = [/* FILES */];

self.addEventListener("install", (event) => event.waitUntil(keep()));

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

self.addEventListener("message", (event) => event.data === "take over" && self.skipWaiting());

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  event.respondWith(answer(event.request, url));
});

async function keep() {
  const cache = await caches.open(CACHE);
  // What only WebGPU needs is large, and of no use without it.
  const wanted = FILES.filter((name) => !name.includes("asyncify") || self.navigator.gpu);
  await cache.addAll(wanted.map((name) => new Request(new URL(name, self.location.href), { cache: "no-cache" })));
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith("fundus-") && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

async function answer(request, url) {
  const cache = await caches.open(CACHE);
  const place = url.pathname.endsWith("/") ? new URL("index.html", url) : url;
  const kept = await cache.match(place, { ignoreSearch: true });
  return isolated(kept ?? (await fetch(request)));
}

/** Threads need a page that is isolated from others; a plain web server does not say so. */
function isolated(response) {
  if (response.status === 0 || response.headers.has("Cross-Origin-Embedder-Policy")) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText, body } = response;
  return new Response([204, 304].includes(status) ? null : body, { status, statusText, headers });
}
