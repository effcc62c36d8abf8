/** Downloads of what is selected. */
import { exportUrl } from '../api/client';
import { EXPORT_FORMATS } from '../api/types';
import { t } from '../i18n';
import type { AppState } from '../model/url-state';
import { Icon } from './Icon';
import { Popover } from './Popover';

export function ExportMenu({ state }: { state: AppState }) {
  return (
    <Popover label={<><Icon name="download" /> {t('export.title')}</>} align="right">
      {(close) => (
        <ul class="menu wide">
          {EXPORT_FORMATS.map((format) => (
            <li key={format}>
              <a href={exportUrl(state, format)} download data-format={format} onClick={close}>
                <b>{t(`export.${format}`)}</b>
                <span class="faint">{t(`export.${format}.hint`)}</span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </Popover>
  );
}
