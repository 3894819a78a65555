/**
 * An answer's bytes as they come, each stretch in a buffer of its own. Where the browser can, they are written straight
 * into it; elsewhere each part that comes is copied there.
 */
export class Bytes {
  private readonly into: ReadableStreamBYOBReader | null;
  private readonly parts: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null;
  private part: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, private readonly came: (count: number) => void) {
    this.into = readerInto(body);
    this.parts = this.into ? null : body.getReader();
  }

  /** The next bytes, so many; null where the answer ends before. */
  async next(size: number): Promise<ArrayBuffer | null> {
    let target = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const more = this.into ? await this.into.read(target.subarray(done)) : await this.copied(target, done);
      if (!more.value?.length) return null;
      if (this.into) target = new Uint8Array(more.value.buffer as ArrayBuffer);
      done += more.value.length;
      this.came(more.value.length);
    }
    return target.buffer;
  }

  cancel(): Promise<void> {
    return (this.into ?? this.parts!).cancel();
  }

  private async copied(target: Uint8Array, done: number): Promise<{ value: Uint8Array | undefined }> {
    if (!this.part.length) {
      const next = await this.parts!.read();
      if (next.done) return { value: undefined };
      this.part = next.value;
    }
    const taken = this.part.subarray(0, target.length - done);
    target.set(taken, done);
    this.part = this.part.subarray(taken.length);
    return { value: taken };
  }
}

function readerInto(body: ReadableStream): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return null; // this browser's answers are no streams of bytes
  }
}
