using System.Text;
using Coppice.Core;

namespace Coppice.Cli;

/// <summary>Asks a person before something is lost. A script is not asked: it has said what it wants.</summary>
internal static class Confirmation
{
    private const int LongestAnswer = 16;

    /// <exception cref="CoppiceException">The answer was not yes (<see cref="ErrorKind.Cancelled"/>).</exception>
    public static void Ask(string question, Surroundings surroundings)
    {
        if (!surroundings.InputIsTerminal || !surroundings.ErrorIsTerminal)
        {
            return;
        }

        surroundings.Error.Write($"{Printable.Line(question)} [y/N] ");
        surroundings.Error.Flush();
        if (ReadLine(surroundings.Input()).Trim().ToUpperInvariant() is not ("Y" or "YES"))
        {
            throw new CoppiceException(ErrorKind.Cancelled, "the command", "was not confirmed, nothing was done");
        }
    }

    private static string ReadLine(Stream input)
    {
        var answer = new StringBuilder();
        for (var next = input.ReadByte(); next is not (-1 or '\n'); next = input.ReadByte())
        {
            if (answer.Length < LongestAnswer)
            {
                answer.Append((char)next);
            }
        }

        return answer.ToString();
    }
}
