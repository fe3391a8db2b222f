/** What went wrong, shown until it is dismissed or mended. */

export interface Alert {
  /** Where it comes from: a source has one alert at a time. */
  readonly source: string;
  readonly text: string;
}

export function raised(alerts: readonly Alert[], source: string, text: string): readonly Alert[] {
  return [...cleared(alerts, source), { source, text }];
}

export function cleared(alerts: readonly Alert[], source: string): readonly Alert[] {
  return alerts.filter((alert) => alert.source !== source);
}

/** Each text once: a command's failure is told by the kernel's summary as well. */
export function distinct(alerts: readonly Alert[]): readonly Alert[] {
  return alerts.filter((alert, at) => alerts.findIndex(({ text }) => text === alert.text) === at);
}
