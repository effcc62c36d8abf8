(async () => {
  const text = document.getElementById("tree").textContent;
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  InfraredViewer.mount(document.getElementById("infrared"), bytes);
})().catch((error) => {
  document.getElementById("infrared").textContent = `cannot show the profile: ${error}`;
});
