/** The blocks of the file: JSON in script elements that are never run. */

interface Compressed {
  readonly encoding: string;
  readonly data: string;
}

/** The JSON of a block; an error that says what is wrong with the file. */
export function blockOf<Block>(name: string): Block {
  const block = document.getElementById(`smithers-${name}`);
  if (block === null)
    throw new Error(`this file has no block ${name}: it is not whole. Export the run again.`);
  return JSON.parse(block.textContent ?? "") as Block;
}

/** The JSON in a compressed block. */
export async function unpacked<Contents>(name: string): Promise<Contents> {
  const { encoding, data } = blockOf<Compressed>(name);
  if (encoding !== "gzip+base64")
    throw new Error(`this page does not know the encoding ${encoding}.`);
  const binary = atob(data);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()) as Contents;
}
