// deliver.mjs - what a sender's own library signs and sends: node deliver.mjs CLIENT URL SECRET
// Prints the statuses that it heard as JSON: of a forged delivery, of a genuine one, of the same again.
import { Webhook as Standard } from "standardwebhooks";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Webhook as Svix } from "svix";
import Stripe from "stripe";
import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";
import { Pool, request } from "undici";

const [client, url, secret] = process.argv.slice(2);
const body = JSON.stringify({ id: "evt_interop", text: "Grüße, 世界 \u2028", amount: 1e21, nested: [[[]], {}] });

async function post(headers, payload = body) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: payload });
  return answer.status;
}

async function signedWith(sign) {
  return {
    forged: await post(await sign(body + " ", secret)),
    good: await post(await sign(body, secret)),
    again: await post(await sign(body, secret)),
  };
}

const clients = {
  standard: () => signedWith((text, key) => {
    const at = new Date();
    return { "webhook-id": "msg_interop", "webhook-timestamp": String(Math.floor(at / 1000)),
             "webhook-signature": new Standard(key).sign("msg_interop", at, text) };
  }),
  svix: () => signedWith((text, key) => {
    const at = new Date();
    return { "svix-id": "msg_interop", "svix-timestamp": String(Math.floor(at / 1000)),
             "svix-signature": new Svix(key).sign("msg_interop", at, text) };
  }),
  stripe: () => signedWith((text, key) => ({
    "stripe-signature": Stripe.webhooks.generateTestHeaderString({ payload: text, secret: key }),
  })),
  github: () => signedWith(async (text, key) => ({
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "x-github-event": "push",
    "x-hub-signature-256": await signGithub(key, text),
  })),
  async cloudevents() {
    // Its transport rejects what is not 2xx, and sends in chunks.
    const event = new CloudEvent({ id: "ce_interop", type: "order.taken", source: "/shop", data: { order: 4711 } });
    const heard = [];
    for (const mode of [Mode.BINARY, Mode.BINARY, Mode.STRUCTURED])
      heard.push((await emitterFor(httpTransport(url), { mode })(event)).statusCode ?? 200);
    return { heard };
  },
  async undici() {
    // One connection, ten requests on their way at a time.
    const to = new URL(url);
    const { statusCode: get } = await request(url, { method: "GET" });
    const pool = new Pool(to.origin, { connections: 1, pipelining: 10 });
    const heard = await Promise.all(Array.from({ length: 50 }, async (_, n) => {
      const { statusCode, body: answer } = await pool.request({
        path: to.pathname, method: "POST", body: JSON.stringify({ n }), idempotent: true,
        headers: { "webhook-id": `n_${n}` } });
      await answer.dump();
      return statusCode;
    }));
    await pool.close();
    return { heard: [...new Set(heard)], get };
  },
};

console.log(JSON.stringify(await clients[client]()));
