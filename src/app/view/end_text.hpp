#pragma once

#include "app/view/style.hpp"
#include "app/view/time_account.hpp"
#include "app/view/view.hpp"
#include "runner/report_summary.hpp"

#include <map>
#include <set>
#include <string>

namespace gantry::app {

// What the events of a run tell that its summary does not.
class EndNotes {
public:
    void add(const runner::RunEvent& event);

    const TimeAccount& time() const { return time_; }
    // A container was made and not removed: --keep-failed kept it.
    bool kept_container() const { return !containers_.empty(); }
    struct Text {
        std::string stage, step, text;
    };
    // CI_STEP_SUMMARY of steps, in the order of their ends.
    const std::vector<Text>& summaries() const { return summaries_; }
    // What to do about a stage that could not begin, or whose files could not be kept; empty for others.
    std::string hint_for(const std::string& stage) const;
    // What the test and coverage reports of stages say.
    const std::vector<runner::ReportedStage>& reported() const { return reported_; }

private:
    TimeAccount time_;
    std::set<std::string> containers_;
    std::vector<Text> summaries_;
    std::map<std::string, std::string> hints_; // by stage
    std::vector<runner::ReportedStage> reported_;
};

enum class EndDetail { all, quiet }; // quiet: nothing when all is well but the last line

// What failed and why, its last lines, what to do now, what was skipped, where the time went; the last line says how the run
// ended.
std::string render_end(const runner::RunSummary& summary, const EndNotes& notes, const View::Tail& tail, const Style& style,
                       EndDetail detail = EndDetail::all);

// "test[gcc=13]" as people read it: "test [gcc=13]".
std::string readable_stage(const std::string& id);

} // namespace gantry::app
