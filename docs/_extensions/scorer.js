/* What the search shows first: guides and lessons before lists of everything. */
Scorer = {
  score([page, title, anchor, description, score]) {
    if (/changelog/.test(page)) return score - 20;
    if (/^guides\/|^generated\/course\//.test(page)) return score + 8;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
