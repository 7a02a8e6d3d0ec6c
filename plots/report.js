// Sorts the tables of a report by the column whose head is chosen.
'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], heads = table.tHead.rows[0].cells;
  const key = (row, i) => {
    const cell = row.cells[i];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return cell.classList.contains('n') ? NaN : cell.textContent;
  };
  const sort = (head, i) => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const h of heads) h.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = [...body.rows].filter((r) => !r.classList.contains('margin'));
    rows.sort((a, b) => {
      const x = key(a, i), y = key(b, i);
      if (typeof x === 'string' || typeof y === 'string')
        return String(x).localeCompare(String(y)) * (down ? -1 : 1);
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return (x - y) * (down ? -1 : 1);
    });
    const last = body.querySelector('tr.margin');
    for (const row of rows) body.insertBefore(row, last);
  };
  [...heads].forEach((head, i) => {
    head.dataset.sort = '';
    head.tabIndex = 0;
    head.addEventListener('click', () => sort(head, i));
    head.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); sort(head, i); }
    });
  });
}
