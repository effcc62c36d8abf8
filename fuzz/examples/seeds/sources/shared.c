/* A library: calls through the PLT, dynamic symbols. */
extern int elsewhere(int);
extern int also_elsewhere(int);

int exported(int n) { return elsewhere(n) + also_elsewhere(n + 1); }
int exported_too(int n) { return exported(n) * elsewhere(n); }
