// A picture becomes a small JPEG that a request can hold.

const MAX_BYTES = 128 * 1024; // base64 makes 171 KiB of it: a request holds 256
const SIDES = [512, 384, 256];
const QUALITIES = [0.85, 0.7, 0.5];

// {base64, bytes, name, url}; null where *file* is no picture. Whoever drops it frees the url.
export async function shrink(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) return null;
  for (const side of SIDES) {
    const canvas = drawn(bitmap, side);
    for (const quality of QUALITIES) {
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
      if (blob && blob.size <= MAX_BYTES) return packed(blob, file.name);
    }
  }
  return null;
}

function drawn(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // what is transparent becomes white, not black
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function packed(blob, name) {
  const address = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = failed;
    reader.readAsDataURL(blob);
  });
  return { base64: address.slice(address.indexOf(",") + 1), bytes: blob.size, name, url: URL.createObjectURL(blob) };
}
