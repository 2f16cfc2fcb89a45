import type {Stage} from '../map/stage.ts';
import {drawnGeometry, lines} from '../map/fences.ts';
import {store, type Fence} from '../state.ts';
import {ApiError, backtest, deleteFence, getInside, putFence} from '../wire/api.ts';
import {draftOf, emptyDraft, featureOf, type Draft, type Kind} from './draft.ts';
import type {Drawing} from './draw.ts';

/** What the user does with fences: joins the panel, the drawing and the node. */
export class Desk {
  private drawing: Drawing | undefined;

  constructor(private readonly stage: () => Stage | undefined, private readonly reload: () => Promise<void>) {
    setInterval(() => store.get().phase === 'live' && void this.ask(), 3000);
  }

  /** The box of a fence. */
  static boxOf(fence: Fence): [number, number, number, number] | undefined {
    const geometry = drawnGeometry(fence), points = geometry ? lines(geometry).flat() : [];
    if (points.length === 0) return undefined;
    const lons = points.map(p => p[0]!), lats = points.map(p => p[1]!);
    return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
  }

  open(id: string | null): void {
    store.set({fence: id, inside: null, backtest: null, fenceProblem: null});
    this.mark();
    void this.ask();
  }

  /** The fence that is looked at stays lit. */
  mark(): void {
    const {fence, fences, draft} = store.get(), chosen = fences.find(f => f.id === fence);
    this.stage()?.mark(draft || !chosen ? undefined : drawnGeometry(chosen));
  }

  private async ask(): Promise<void> {
    const {fence, panel} = store.get();
    if (fence === null || panel !== 'fences' || document.visibilityState === 'hidden') return;
    const inside = await getInside(fence).catch(() => undefined);
    if (!inside || store.get().fence !== fence || JSON.stringify(inside) === JSON.stringify(store.get().inside)) return;
    store.set({inside});
  }

  create(kind: Kind): void {
    this.begin(emptyDraft(kind));
  }

  edit(fence: Fence): void {
    this.begin(draftOf(fence));
  }

  private begin(draft: Draft): void {
    store.set({draft, draftNumber: store.get().draftNumber + 1, fenceProblem: null});
    this.mark();
    void this.draw(draft);
  }

  /** The drawing is loaded when it is needed. Without a map the form and the text are there. */
  private async draw(draft: Draft): Promise<void> {
    const stage = this.stage();
    if (!stage) return;
    const {Drawing} = await import('./draw.ts');
    if (store.get().draft === null) return;
    this.drawing ??= new Drawing(stage.map, stage.fenceColour, drawn => this.change({geometry: drawn.geometry, ...(drawn.radiusMetres ? {radiusMetres: drawn.radiusMetres} : {})}));
    if (draft.geometry) this.drawing.show(draft);
    else this.drawing.begin(draft.kind);
  }

  change(change: Partial<Draft>, redraw = false): void {
    const {draft} = store.get();
    if (!draft) return;
    const next = {...draft, ...change};
    store.set({draft: next, fenceProblem: null});
    if (redraw && next.geometry) this.drawing?.show(next);
  }

  cancel(): void {
    this.drawing?.stop();
    this.drawing = undefined;
    store.set({draft: null, fenceProblem: null});
    this.mark();
  }

  async save(): Promise<void> {
    const {draft} = store.get();
    if (!draft) return;
    try {
      await putFence(draft.id, featureOf(draft), draft.version);
      this.cancel();
      await this.reload();
      this.open(draft.id);
    } catch (problem) {
      const changed = problem instanceof ApiError && problem.status === 412;
      store.set({fenceProblem: changed ? (draft.version === undefined ? 'There is a fence with this id already.' : 'Somebody else has changed this fence: cancel, and edit it anew.') : said(problem)});
    }
  }

  async remove(fence: Fence): Promise<void> {
    try {
      await deleteFence(fence.id, fence.version);
      this.open(null);
      await this.reload();
    } catch (problem) {
      store.set({fenceProblem: said(problem)});
    }
  }

  async backtest(fence: Fence, from: Date, to: Date): Promise<void> {
    if (!(from < to)) return store.set({backtest: 'The time must begin before it ends.'});
    store.set({backtest: 'Running …'});
    try {
      store.set({backtest: await backtest(fence.id, from, to)});
    } catch (problem) {
      const absent = problem instanceof ApiError && [404, 405, 501].includes(problem.status) && !/fence/i.test(problem.message);
      store.set({backtest: absent ? 'This node cannot test fences on its history.' : said(problem)});
    }
  }
}

const said = (problem: unknown): string => {
  if (problem instanceof ApiError && (problem.status === 401 || problem.status === 403)) return 'You may look, but not change fences here.';
  return problem instanceof Error ? problem.message : String(problem);
};
