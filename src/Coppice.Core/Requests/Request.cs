namespace Coppice.Core;

/// <summary>Something a user wants changed. Names are as the user gave them; nothing is resolved.</summary>
/// <param name="Operation">What is done, in the words of the command line: <c>snapshot create</c>.</param>
public abstract record Request(string Operation);

/// <summary>Something about a domain that exists.</summary>
/// <param name="Operation">What is done, in the words of the command line.</param>
/// <param name="Domain">Its name or uuid.</param>
public abstract record DomainRequest(string Operation, string Domain) : Request(Operation);
