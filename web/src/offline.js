// Keeping the page for offline use, and taking over a newer one when someone says so.

/**
 * Register the service worker.
 *
 * @param {(renew: () => void) => void} tell called when a newer page waits; `renew` loads it.
 */
export async function keepForOffline(tell) {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const registration = await workers.register("sw.js");
  const look = () => {
    if (!registration.waiting || !workers.controller) return;
    tell(() => {
      workers.addEventListener("controllerchange", () => location.reload(), { once: true });
      registration.waiting.postMessage("take over");
    });
  };
  look();
  registration.addEventListener("updatefound", () => registration.installing.addEventListener("statechange", look));
}
