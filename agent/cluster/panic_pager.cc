#include "cluster/panic_pager.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace cluster {

void PanicPager::look(const Judgement& panic, const Group& group, const std::optional<Identity>& down, bool told) {
  text_ = panic.text;
  auto pager = group.pager ? std::optional(group.pager->who) : std::nullopt;
  if (pager != pager_) pager_since_ = scheduler_.now();
  pager_ = std::move(pager);
  if (panic.open) since_.reset();
  else if (!since_) since_ = scheduler_.now();
  const bool ours = group.pager && group.pager->lease == lease_.id();
  const bool wanted = since_ && down && (!group.pager || (ours && pager_ == down));
  if (!wanted) {
    if (own_ || ours) drop();
    return;
  }
  if (ours || own_) return;
  own_ = down;
  const base::Millis pause = told ? base::Millis{0} : kHeadStart + base::Millis(random_.below(kSpread.count()));
  pending_ = scheduler_.after(pause, [this] { read(); });
}

std::optional<GroupFault> PanicPager::fault(const Identity& self) const {
  if (!since_) return std::nullopt;
  const bool alone = !pager_ && scheduler_.now() - std::max(*since_, pager_since_) >= kPatience;
  const bool settled = store_.locks() || scheduler_.now() - pager_since_ >= kSettle;
  return GroupFault{text_, pager_, alone || (pager_ == self && settled)};
}

// What was read last may be old.
void PanicPager::read() {
  pending_ = store_.read(group_prefix(group_), [this](const Answer<Reading>& answer) {
    const bool is_free = answer.kind == Answered::yes && !read_group(group_, answer.value).pager;
    if (is_free) take();
    else own_.reset();
  });
}

void PanicPager::take() {
  if (!own_ || !lease_.holds()) return own_.reset();
  pending_ = store_.take(pager_key(group_), pager_value({*own_, scheduler_.wall_now(), {}}), lease_.id(),
                         [this](const Answer<std::uint64_t>& answer) {
                           if (answer.kind != Answered::yes) return own_.reset();
                           base::log::warn("this agent tells people of a group, for all of its members",
                                           {{"group", group_}, {"why", text_}});
                           // Readings say from now on who has it; one without any lets us try again.
                           pending_ = scheduler_.after(kPatience, [this] { own_.reset(); });
                         });
}

void PanicPager::drop() {
  own_.reset();
  if (!lease_.holds()) return pending_.reset();
  pending_ = store_.drop(pager_key(group_), lease_.id(), [](const Answer<Nothing>&) {});
}

}  // namespace cluster
