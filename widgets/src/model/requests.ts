/** What was asked of the kernel and not yet answered: at most one request in flight for a pane. */

import type { Pane, PlanRow, Reply, Want } from "./protocol";

export interface Request {
  readonly want: Want;
  readonly question: string;
  readonly version: string;
  /** The rows that the kernel may refer to. */
  readonly rows: readonly PlanRow[];
  /** Of a request that is for one caller, not for the pane. */
  readonly settle?: (reply: Reply) => void;
}

export class Requests {
  private readonly open = new Map<string, Request>();
  private readonly inFlight = new Map<Pane, string>();

  put(id: string, request: Request): void {
    this.open.set(id, request);
  }

  /** One that the pane waits for. */
  fly(id: string, request: Request): void {
    this.put(id, request);
    this.inFlight.set(request.want.pane, id);
  }

  /** The request that was answered; undefined where it is another view's, or was given up. */
  close(id: string): Request | undefined {
    const request = this.open.get(id);
    this.open.delete(id);
    if (request !== undefined && this.inFlight.get(request.want.pane) === id) {
      this.inFlight.delete(request.want.pane);
    }
    return request;
  }

  drop(ids: readonly string[]): void {
    for (const id of ids) this.open.delete(id);
  }

  /** Gives up on all that panes wait for. */
  giveUp(): void {
    this.drop([...this.inFlight.values()]);
    this.inFlight.clear();
  }

  /** Forgets what panes asked; single callers still get their answers. */
  clear(): void {
    this.giveUp();
    for (const [id, { settle }] of this.open) if (settle === undefined) this.open.delete(id);
  }

  flies(pane: Pane): boolean {
    return this.inFlight.has(pane);
  }

  get none(): boolean {
    return this.inFlight.size === 0;
  }
}
