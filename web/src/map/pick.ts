/** Finds the nearest of many points on the screen: a grid, made anew when they moved. */
export class PickGrid {
  private readonly buckets = new Map<number, number[]>();
  private columns = 1;
  private xs = new Float32Array(0);
  private ys = new Float32Array(0);

  constructor(private readonly size = 24) {}

  fill(count: number, width: number, place: (row: number) => readonly [number, number]): void {
    this.buckets.clear();
    this.columns = Math.max(1, Math.ceil(width / this.size)) + 2;
    this.xs = new Float32Array(count);
    this.ys = new Float32Array(count);
    for (let row = 0; row < count; row++) {
      const [x, y] = place(row);
      this.xs[row] = x;
      this.ys[row] = y;
      if (x < -this.size || x > width + this.size || y < -this.size) continue;
      const key = this.key(x, y);
      const bucket = this.buckets.get(key);
      if (bucket) bucket.push(row);
      else this.buckets.set(key, [row]);
    }
  }

  private key(x: number, y: number): number {
    return (Math.floor(y / this.size) + 1) * this.columns + Math.floor(x / this.size) + 1;
  }

  /** The row nearest to a place, not further than the reach (at most the grid's size). */
  nearest(x: number, y: number, reach: number): number | undefined {
    let best: number | undefined, least = reach * reach;
    for (const dy of [-this.size, 0, this.size]) {
      for (const dx of [-this.size, 0, this.size]) {
        for (const row of this.buckets.get(this.key(x + dx, y + dy)) ?? []) {
          const d = (this.xs[row]! - x) ** 2 + (this.ys[row]! - y) ** 2;
          if (d <= least) [least, best] = [d, row];
        }
      }
    }
    return best;
  }
}
