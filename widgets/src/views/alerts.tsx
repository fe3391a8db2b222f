import { type Alert, distinct } from "../model/alerts";
import { Text } from "./text";

interface AlertsProps {
  readonly alerts: readonly Alert[];
  readonly dismiss: (alert: Alert) => void;
}

export function Alerts({ alerts, dismiss }: AlertsProps) {
  return distinct(alerts).map((alert) => (
    <div key={alert.text} class="ss-alert" role="alert">
      <span class="ss-alert-text">
        <span aria-hidden="true">✗ </span>
        <Text of={alert.text} />
      </span>
      <button
        type="button"
        class="ss-button ss-icon-button"
        aria-label="Dismiss"
        title="Dismiss"
        onClick={() => dismiss(alert)}
      >
        ✕
      </button>
    </div>
  ));
}
