/* A library function so small that its caller's time goes to the procedure linkage table. */
int tiny(int x)
{
	return x + 1;
}
