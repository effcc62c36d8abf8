int called_back(int);

int add(int left, int right)
{
	return called_back(left) + right;
}
