// What a farm shows only when it is opened: packed by chunks of farms, each unpacked once, when it is first asked for.
const packed = [...document.querySelectorAll("script.detail")];
const unpacked = new Map();
const opened = new Set();

function chunkOf(farm) {
  return farm < 0 ? packed.length - 1 : Math.floor(farm / data.chunk);
}

function isOpen(farm) {
  return opened.has(chunkOf(farm));
}

async function unpackText(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function openChunk(at) {
  const { farms, parcels } = await unpackText(JSON.parse(packed[at].textContent));
  for (const [place, more] of Object.entries(farms)) Object.assign(data.farms[place], more);
  for (const [place, more] of Object.entries(parcels)) Object.assign(data.parcels[place], more);
  opened.add(at);
}

function openFarm(farm) {
  const at = chunkOf(farm);
  if (!unpacked.has(at)) unpacked.set(at, openChunk(at));
  return unpacked.get(at);
}
