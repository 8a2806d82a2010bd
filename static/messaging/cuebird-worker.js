/* What a browser does with a push message. A page's own service worker takes it in by importScripts. */
"use strict";

self.addEventListener("push", (event) => {
  const said = event.data ? event.data.json() : {};
  event.waitUntil(self.registration.showNotification(said.title || said.body || "", {
    body: said.title ? said.body : "", icon: said.icon, image: said.image, tag: said.id, data: { url: said.url },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data || {};
  if (url) event.waitUntil(self.clients.openWindow(url));
});
