namespace Coppice.Qemu.Agent;

/// <summary>The agent in a guest refused a command. Of its words, which the guest chose, the first are told.</summary>
internal sealed class AgentRefusalException(string command, string words) : Exception($"{command}: {Beginning(words)}")
{
    private const int MaximumLength = 200;

    private static string Beginning(string words) => words.Length > MaximumLength ? $"{words[..MaximumLength]}…" : words;
}
