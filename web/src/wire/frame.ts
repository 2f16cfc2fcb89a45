/** The binary frames of /api/v1/live; the node's api/frame.go describes them. */
export const HEADER_BYTES = 24;
export const NO_SPEED = 65535;
export const NO_HEADING = 255;
export const SATURATED_AGE = 65535;

interface Head {
  partial: boolean;
  cut: boolean;
  count: number;
  /** The node's clock, UTC ms. */
  time: number;
  inView: number;
}

export interface PointsFrame extends Head {
  kind: 'points';
  slots: Uint32Array;
  lonE7: Int32Array;
  latE7: Int32Array;
  ageMs: Uint16Array;
  speedDms: Uint16Array;
  /** 255ths of the circle. */
  heading: Uint8Array;
  /** 0 moving, 1 stopped, 2 silent. */
  status: Uint8Array;
}

export interface CellsFrame extends Head {
  kind: 'cells';
  precision: number;
  cells: BigUint64Array;
  counts: Uint32Array;
}

export interface DictionaryFrame extends Head {
  kind: 'dictionary';
  slots: Uint32Array;
  names: string[];
}

export type Frame = PointsFrame | CellsFrame | DictionaryFrame;

/** Columns are views into the buffer where it is possible: every browser's machine is little-endian. */
export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < HEADER_BYTES) throw new Error('a frame is shorter than its header');
  const view = new DataView(buffer);
  const [kind, version, precision, flags] = [0, 1, 2, 3].map(at => view.getUint8(at)) as [number, number, number, number];
  if (version !== 1) throw new Error(`frames of version ${version} are not known`);
  const count = view.getUint32(4, true);
  const head: Head = {
    partial: (flags & 1) !== 0, cut: (flags & 2) !== 0, count,
    time: Number(view.getBigInt64(8, true)), inView: view.getUint32(16, true),
  };
  switch (kind) {
    case 1: return points(buffer, head);
    case 2: return cells(buffer, head, precision);
    case 3: return dictionary(buffer, head);
    default: throw new Error(`frames of kind ${kind} are not known`);
  }
}

function expectBytes(buffer: ArrayBuffer, bytes: number): void {
  if (buffer.byteLength !== HEADER_BYTES + bytes) throw new Error('a frame is not as long as its header says');
}

function points(buffer: ArrayBuffer, head: Head): PointsFrame {
  const n = head.count;
  expectBytes(buffer, 18 * n);
  let at = HEADER_BYTES;
  const take = (bytes: number) => (at += bytes * n) - bytes * n;
  return {
    kind: 'points', ...head,
    slots: new Uint32Array(buffer, take(4), n),
    lonE7: new Int32Array(buffer, take(4), n),
    latE7: new Int32Array(buffer, take(4), n),
    ageMs: new Uint16Array(buffer, take(2), n),
    speedDms: new Uint16Array(buffer, take(2), n),
    heading: new Uint8Array(buffer, take(1), n),
    status: new Uint8Array(buffer, take(1), n),
  };
}

function cells(buffer: ArrayBuffer, head: Head, precision: number): CellsFrame {
  if (precision < 1 || precision > 12) throw new Error(`cells of precision ${precision} are not known`);
  const n = head.count;
  expectBytes(buffer, 12 * n);
  return {
    kind: 'cells', ...head, precision,
    cells: new BigUint64Array(buffer, HEADER_BYTES, n),
    counts: new Uint32Array(buffer, HEADER_BYTES + 8 * n, n),
  };
}

function dictionary(buffer: ArrayBuffer, head: Head): DictionaryFrame {
  const n = head.count;
  if (buffer.byteLength < HEADER_BYTES + 6 * n) throw new Error('a dictionary is shorter than its header says');
  const lengths = new Uint16Array(buffer, HEADER_BYTES + 4 * n, n);
  const text = new TextDecoder();
  const names: string[] = [];
  let at = HEADER_BYTES + 6 * n;
  for (const length of lengths) {
    if (at + length > buffer.byteLength) throw new Error('a dictionary is shorter than its names');
    names.push(text.decode(new Uint8Array(buffer, at, length)));
    at += length;
  }
  if (at !== buffer.byteLength) throw new Error('a dictionary is longer than its names');
  return {kind: 'dictionary', ...head, slots: new Uint32Array(buffer, HEADER_BYTES, n), names};
}
