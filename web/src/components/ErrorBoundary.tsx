/** A view that fails says so in its own place; the rest of the page goes on. */
import { Component, type ComponentChildren } from 'preact';
import { t } from '../i18n';

export class ErrorBoundary extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static override getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div class="empty" role="alert">
        <h3>{t('error.view')}</h3>
        <p class="mono">{this.state.error.message}</p>
        <button type="button" class="button" onClick={() => this.setState({ error: null })}>{t('action.retry')}</button>
      </div>
    );
  }
}
