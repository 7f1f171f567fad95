using System.CommandLine;

namespace Coppice.Cli.Commands;

/// <summary><c>completion</c>: the script that lets a shell ask <c>coppice</c> what can come next.</summary>
internal static class CompletionCommand
{
    // The directive wants the line without the command itself, and the cursor's place in it. Names are anybody's, also of those who
    // made an image: no word of them is expanded (compgen -W would), and what they bring to the line is quoted.
    private const string Bash = """
        # bash completion for coppice: source <(coppice completion bash)
        _coppice() {
            local skip=$(( ${#COMP_WORDS[0]} + 1 ))
            local at=$(( COMP_POINT - skip ))
            (( at >= 0 )) || return
            local word=${COMP_LINE:0:COMP_POINT}
            word=${word##* }
            local colons=
            [[ $COMP_WORDBREAKS == *[=:]* ]] && colons=${word%"${word##*[=:]}"}
            local names name
            mapfile -t names < <("${COMP_WORDS[0]}" "[suggest:$at]" "${COMP_LINE:skip}" 2>/dev/null)
            COMPREPLY=()
            for name in "${names[@]}"; do
                [[ $name == "$word"* ]] || continue
                printf -v name %q "${name#"$colons"}"
                COMPREPLY+=("$name")
            done
        }
        complete -o bashdefault -o default -F _coppice coppice

        """;

    public static Command Completion()
    {
        var shell = new Argument<string>("SHELL") { Description = "The shell: bash" };
        shell.AcceptOnlyFromAmong("bash");
        return new CoppiceCommand("completion", "Print a script that completes commands, domains and snapshots in a shell", shell)
            .Does((run, _) => run.Surroundings.Output.WriteAsync(Bash));
    }
}
