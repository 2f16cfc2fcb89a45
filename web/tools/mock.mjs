// Feeds a node with vehicles that drive in circles over New York: node tools/mock.mjs [http://127.0.0.1:8080] [vehicles].
const [server = 'http://127.0.0.1:8080', vehicles = '500'] = process.argv.slice(2);

const HUBS = [[-73.985, 40.755], [-73.95, 40.66], [-73.87, 40.74], [-73.9, 40.84], [-73.78, 40.645], [-73.873, 40.774]];

function place(i, seconds) {
  const [lon, lat] = HUBS[i % HUBS.length], radius = 0.004 + ((i * 37) % 100) * 3.5e-4, stopped = i % 5 === 0;
  const angle = i * 2.4 + (stopped ? 0 : (seconds * 9e-5 * (1 + (i % 3))) / radius);
  return [lon + radius * 1.3 * Math.cos(angle), lat + radius * Math.sin(angle)];
}

async function send() {
  const now = Date.now();
  const lines = Array.from({length: Number(vehicles)}, (_, i) => {
    const [longitude, latitude] = place(i, now / 1000).map(v => Number(v.toFixed(6)));
    return JSON.stringify({vehicle: `mock-${String(i + 1).padStart(4, '0')}`, time: new Date(now).toISOString(), longitude, latitude, driver: `driver ${i % 40}`});
  });
  const answer = await fetch(new URL('/api/v1/positions', server), {
    method: 'POST', headers: {'Content-Type': 'application/x-ndjson'}, body: lines.join('\n') + '\n',
  }).catch(problem => ({ok: false, text: () => problem.message}));
  if (!answer.ok) console.error(await answer.text());
}

await send();
setInterval(send, 2000);
