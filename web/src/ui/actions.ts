import type {FleetEvent, Look} from '../state.ts';

/** What the parts of the page ask for. */
export interface Actions {
  select(vehicle: string | null, fly?: boolean): void;
  follow(on: boolean): void;
  openEvent(event: FleetEvent): void;
  look(look: Look): void;
  toggleDark(): void;
  zoom(by: number): void;
  showFleet(): void;
  reconnect(): void;
  search(text: string): string[];
}
